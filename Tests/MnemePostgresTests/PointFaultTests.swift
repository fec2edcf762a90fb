import Crypto
import Foundation
import MnemePostgres
import MnemeStore
import NIOConcurrencyHelpers
import Testing

/// Grants, claims, jobs and uses, each of whose messages is lost once: the connection ends at the first
/// piece that is sent or answered, then at the second, and so on to the last.
@Suite(.enabled(if: TestServer.isThere, Comment(rawValue: TestServer.missing)))
struct PointFaultTests {
    /// A store behind a proxy, and one that reaches the same database directly.
    private final class Stores: Sendable {
        let proxy: NetworkProxy, far: PostgresMemoryStore, near: PostgresMemoryStore
        let schema = TestServer.schema()
        /// Numbers of steps, which differ.
        private let count = NIOLockedValueBox(0)

        /// - Parameter patience: seconds in which the far one gives up.
        init(_ server: TestServer, patience: Double) throws {
            let port = try #require(URLComponents(string: server.url)?.port)
            proxy = try NetworkProxy(to: port)
            near = try server.store(schema)
            let other = server.url.replacingOccurrences(of: ":\(port)/", with: ":\(proxy.port)/")
            var settings = try PostgresSettings("\(other)?mneme_schema=\(schema)&mneme_connections=1")
            settings.connectTimeout = patience
            far = try PostgresMemoryStore(settings, analyzer: "test", auditKey: .init())
        }

        func next() -> Int {
            count.withLockedValue { count in
                count += 1
                return count
            }
        }

        /// Nothing was left half-done.
        func check() throws {
            try hold(near.check(repair: false, by: admin).filter { !$0.sound }.isEmpty)
            try hold(near.verifyAudit(keys: nil, head: nil, by: admin).findings.isEmpty)
        }

        func close() throws {
            try far.close()
            try near.close()
            proxy.close()
        }
    }

    /// Something that a server does, and what others see of it.
    private struct Step: Sendable {
        let name: String
        /// Prepares it through one store, and hands over what another one does and how often it was done
        /// by then.
        let prepare: @Sendable (any MemoryStore, Int) throws -> Act
    }
    private struct Act {
        /// Does it, and compares the answer.
        let act: (any MemoryStore) throws -> Void
        /// How often it was done: 0 or 1.
        let count: (any MemoryStore) throws -> Int
    }

    private static let owner = Owner(user: "alice")
    private static func time(_ seconds: Double) -> Date { Date(timeIntervalSince1970: 1_700_000_000 + seconds) }
    private static func job(_ store: any MemoryStore, _ n: Int, isLeased: Bool) throws -> Int64 {
        let id = try store.enqueue(Job("expire", arguments: ["n": "\(n)"], created: time(0)), by: admin).id
        if isLeased { _ = try store.lease(id, worker: "far", now: time(1), until: time(60)) }
        return id
    }

    private static let steps = [
        Step(name: "share") { _, n in
            let grantee = Grantee.user("guest \(n)")
            return Act { store throws in
                try hold(store.share(Grant(owner: owner, grantee: grantee), by: admin).id > 0)
            } count: { store throws in
                try store.grants(owner: owner, by: admin).count { $0.grantee == grantee }
            }
        },
        Step(name: "unshare") { store, n in
            let id = try store.share(Grant(owner: owner, grantee: .user("guest \(n)")), by: admin).id
            return Act { store throws in
                try store.unshare(id, owner: owner, by: admin)
            } count: { store throws in
                try store.grants(owner: owner, by: admin).contains { $0.id == id } ? 0 : 1
            }
        },
        Step(name: "claim") { store, n in
            var (old, new) = (sample("home \(n) is Paris"), sample("home \(n) is Berlin"))
            old.claims = [Claim(subject: "ana \(n)", attribute: "home", value: "paris")]
            new.claims = [Claim(subject: "ana \(n)", attribute: "home", value: "berlin")]
            new.eventTime = old.eventTime + 60
            try store.commit([add(old)], owner: owner, by: admin)
            return Act { [new] store throws in
                try store.commit([add(new)], owner: owner, by: admin)
            } count: { [old, new] store throws in
                // The former home does not hold any more if the new one is there, and only then.
                let ended = try store.cubes([old.id], owner: owner, by: admin).first?.validUntil != nil
                let count = try store.list(CubeFilter(owner: owner, limit: .max), by: admin)
                    .count { $0.text == new.text }
                try hold(ended == (count > 0))
                return count
            }
        },
        Step(name: "enqueue") { _, n in
            let job = Job("expire", arguments: ["n": "\(n)"], created: time(0))
            return Act { store throws in
                try hold(store.enqueue(job, by: admin).state == .waiting)
            } count: { store throws in
                try store.jobs(in: [.waiting], limit: 1_000, by: admin).count { $0.arguments == job.arguments }
            }
        },
        Step(name: "lease") { store, n in
            let id = try job(store, n, isLeased: false)
            return Act { store throws in
                let job = try store.lease(id, worker: "far", now: time(1), until: time(60))
                try hold(job?.state == .running && job?.attempts == 1)
            } count: { store throws in
                let job = try store.job(id, by: admin)
                // Another worker gets it once the lease has ended, whatever became of the first.
                let other = try store.lease(id, worker: "near", now: time(61), until: time(99))
                try hold(other?.attempts == (job?.attempts ?? 0) + 1)
                try hold(store.finish(id, worker: "near", .done("near"), now: time(62)))
                return job?.attempts ?? 0
            }
        },
        Step(name: "renew") { store, n in
            let id = try job(store, n, isLeased: true)
            return Act { store throws in
                try hold(store.renew(id, worker: "far", until: time(120)))
            } count: { store throws in
                try store.job(id, by: admin)?.leaseEnd == time(120) ? 1 : 0
            }
        },
        Step(name: "finish") { store, n in
            let id = try job(store, n, isLeased: true)
            return Act { store throws in
                try hold(store.finish(id, worker: "far", .done("far"), now: time(2)))
            } count: { store throws in
                try store.job(id, by: admin)?.state == .done ? 1 : 0
            }
        },
        Step(name: "fail") { store, n in
            let id = try job(store, n, isLeased: true)
            return Act { store throws in
                try hold(store.finish(id, worker: "far", .failed("far", retry: time(30)), now: time(2)))
            } count: { store throws in
                let job = try store.job(id, by: admin)
                return job?.state == .waiting && job?.message == "far" && job?.attempts == 1 ? 1 : 0
            }
        },
        Step(name: "use") { store, n in
            let cube = sample("used \(n)")
            try store.commit([add(cube)], owner: owner, by: admin)
            return Act { store throws in
                try store.recordUse([cube.id: Usage(count: 1, last: time(3))], owner: owner)
            } count: { store throws in
                try store.cubes([cube.id], owner: owner, by: admin).first?.usage?.count ?? 0
            }
        },
    ]

    @Test func `what is lost on the way is done again, and nothing twice`() async throws {
        let server = try TestServer.shared.get()
        try await onThreads(Self.steps.count) { i in
            let step = Self.steps[i]
            let stores = try Stores(server, patience: 10)
            for point in 1...60 {
                let done = try step.prepare(stores.near, stores.next())
                // The connection stands before.
                _ = try stores.far.grants(owner: Self.owner, by: admin)
                stores.proxy.lose(point)
                try done.act(stores.far)
                let wasLost = stores.proxy.stopLosing()
                try hold(done.count(stores.near) == 1, "\(step.name), piece \(point)")
                if !wasLost {
                    // Asked and answered at least once.
                    try hold(point > 2)
                    break
                }
            }
            try stores.check()
            try stores.close()
        }
    }

    @Test func `a server that dies at any point has done it or not, and others go on`() async throws {
        let server = try TestServer.shared.get()
        try await onThreads(Self.steps.count) { i in
            let step = Self.steps[i]
            let stores = try Stores(server, patience: 1)
            for point in 1...60 {
                let done = try step.prepare(stores.near, stores.next())
                _ = try stores.far.grants(owner: Self.owner, by: admin)
                // Nothing of it comes through any more.
                stores.proxy.lose(point) { [proxy = stores.proxy] in proxy.fail(.new) }
                var failed = false
                do { try done.act(stores.far) } catch is StoreError { failed = true }
                let wasLost = stores.proxy.stopLosing()
                stores.proxy.fail(.none)
                // Whoever writes waits until the database has ended what the dead one began.
                _ = try stores.near.create(Self.owner, by: admin)
                let count = try done.count(stores.near)
                try hold(failed ? (0...1).contains(count) : count == 1, "\(step.name), piece \(point): \(count)")
                if !wasLost { break }
            }
            try stores.check()
            try stores.close()
        }
    }

    @Test func `a database that is killed at any point has done it once when it is back`() async throws {
        let steps = Self.steps.filter { ["share", "claim", "lease"].contains($0.name) }
        try await onThreads(steps.count) { i in
            let server = try TestServer(isOwn: true)
            let stores = try Stores(server, patience: 10)
            for point in 1...60 {
                let done = try steps[i].prepare(stores.near, stores.next())
                _ = try stores.far.grants(owner: Self.owner, by: admin)
                stores.proxy.lose(point) { try? server.crash() }
                try done.act(stores.far)
                let wasLost = stores.proxy.stopLosing()
                try hold(done.count(stores.near) == 1, "\(steps[i].name), piece \(point)")
                if !wasLost { break }
            }
            try stores.check()
            try stores.close()
        }
    }
}

/// What does not hold.
private struct Broken: Error, CustomStringConvertible {
    let description: String
}

/// Holds a condition on a thread that is no test's.
private func hold(_ condition: Bool, _ text: String = "", line: Int = #line) throws {
    if !condition { throw Broken(description: "line \(line): \(text)") }
}
