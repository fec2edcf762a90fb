import Foundation
import MnemePostgres
import MnemeStore
import NIOConcurrencyHelpers
import Testing

/// Connections that are cut and servers that are killed while others write. What is checked
/// afterwards: each acknowledged write is there, none is there twice, what was erased stays erased,
/// journal and audit log are whole.
@Suite(.enabled(if: TestServer.isThere, Comment(rawValue: TestServer.missing)))
struct PostgresFaultTests {
    /// What clients know of what they did.
    private struct Known {
        var acknowledged: Set<String> = [], erased: Set<String> = [], attempted: Set<String> = []
        var failures: [String] = []
    }

    /// Clients that write and erase until `isDone`, each a text of its own at a time.
    private func write(
        to stores: [PostgresMemoryStore], _ isDone: @escaping @Sendable () -> Bool
    ) async throws -> Known {
        let known = NIOLockedValueBox(Known())
        try await onThreads(4) { client in
            let store = stores[client % stores.count]
            for i in 0..<10_000 where i < 5 || !isDone() {
                let cube = sample("client \(client), text \(i)", user: "user\(client % 2)")
                known.withLockedValue { _ = $0.attempted.insert(cube.text) }
                do {
                    try store.commit([add(cube)], owner: cube.scope.owner, by: admin)
                    if i % 5 > 0 {
                        known.withLockedValue { _ = $0.acknowledged.insert(cube.text) }
                    } else {
                        try store.commit([.erase(cube.id)], owner: cube.scope.owner, by: admin)
                        known.withLockedValue { _ = $0.erased.insert(cube.text) }
                    }
                } catch { known.withLockedValue { $0.failures.append("\(error)") } }
            }
        }
        return known.withLockedValue { $0 }
    }

    /// Compares what clients know with what is there.
    private func check(_ known: Known, _ store: PostgresMemoryStore) throws {
        var texts: [String] = []
        for user in ["user0", "user1"] {
            let cubes = try store.list(CubeFilter(owner: Owner(user: user), limit: .max), by: admin)
            // Nobody is answered with another's.
            #expect(cubes.allSatisfy { $0.scope.user == user })
            texts += cubes.map(\.text)
        }
        #expect(Set(texts).count == texts.count)
        #expect(known.acknowledged.isSubset(of: texts))
        #expect(known.erased.isDisjoint(with: texts))
        #expect(Set(texts).isSubset(of: known.attempted))
        #expect(known.acknowledged.count >= 4)
        #expect(try store.check(repair: false, by: admin).filter { !$0.sound }.isEmpty)
        #expect(try store.verifyAudit(keys: nil, head: nil, by: admin).findings.isEmpty)
    }

    @Test func `connections that are cut lose no acknowledged write, and none is there twice`() async throws {
        let server = try TestServer(isOwn: true)
        let schema = TestServer.schema()
        let stores = [try server.store(schema), try server.store(schema)]
        let isDone = NIOLockedValueBox(false)
        let cutter = Thread {
            for _ in 0..<40 {
                // Another connection each time: the one that cuts is not cut.
                if let settings = try? server.settings(schema), let connection = try? PGConnection(settings) {
                    _ = try? connection.texts(
                        """
                        SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
                        WHERE usename = current_user AND pid <> pg_backend_pid()
                        """)
                }
                Thread.sleep(forTimeInterval: 0.03)
            }
            isDone.withLockedValue { $0 = true }
        }
        cutter.start()
        let known = try await write(to: stores) { isDone.withLockedValue { $0 } }
        try check(known, stores[0])
        for store in stores { try store.close() }
    }

    @Test func `a server that is killed comes back with all that was acknowledged`() async throws {
        let server = try TestServer(isOwn: true)
        let schema = TestServer.schema()
        let stores = [try server.store(schema), try server.store(schema)]
        let isDone = NIOLockedValueBox(false)
        let killer = Thread {
            for _ in 0..<3 {
                Thread.sleep(forTimeInterval: 0.3)
                try? server.crash()
            }
            isDone.withLockedValue { $0 = true }
        }
        killer.start()
        let known = try await write(to: stores) { isDone.withLockedValue { $0 } }
        try check(known, stores[0])
        for store in stores { try store.close() }
    }
}
