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

    /// Cuts all connections of stores again and again, for some seconds; true is in the box afterwards.
    private func cutConnections(of server: TestServer, _ schema: String) -> NIOLockedValueBox<Bool> {
        let isDone = NIOLockedValueBox(false)
        Thread {
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
        }.start()
        return isDone
    }

    @Test func `connections that are cut lose no acknowledged write, and none is there twice`() async throws {
        let server = try TestServer(isOwn: true)
        let schema = TestServer.schema()
        let stores = [try server.store(schema), try server.store(schema)]
        let isDone = cutConnections(of: server, schema)
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

    /// What a client knows of one memory of its own: each text that it may have now; nil stands for
    /// none. There is one, unless the answer to a change was lost.
    private typealias Possible = [CubeID: Set<String?>]

    /// One step of a client: a change by one server, or a look by another.
    ///
    /// - Returns: what is wrong, if something is.
    private func step(
        _ random: inout Seeded, _ stores: [PostgresMemoryStore], _ user: String, _ possible: inout Possible
    ) -> String? {
        let owner = Owner(user: user)
        let store = stores.randomElement(using: &random)!
        let known = possible.filter { $0.value.count == 1 && $0.value != [nil] }.keys.sorted()
        do {
            switch (Int.random(in: 0..<10, using: &random), known.randomElement(using: &random)) {
            case (0..<3, _), (3..<7, nil):
                let cube = sample("\(user) \(UInt32.random(in: 0...UInt32.max, using: &random))", user: user)
                possible[cube.id] = [nil, cube.text]
                try store.commit([add(cube)], owner: owner, by: admin)
                possible[cube.id] = [cube.text]
            case (3..<6, let id?):
                guard var cube = try store.cube(id, owner: owner, by: admin) else { return "\(id) is gone" }
                cube.text += "+"
                possible[id]?.insert(cube.text)
                let change = Mutation.update(cube, analysis: [2], contentHash: Array(cube.text.utf8))
                try store.commit([change], owner: owner, by: admin)
                possible[id] = [cube.text]
            case (6..<7, let id?):
                possible[id]?.insert(nil)
                try store.commit([.erase(id)], owner: owner, by: admin)
                possible[id] = [nil]
            default:
                guard let id = possible.keys.sorted().randomElement(using: &random) else { return nil }
                let text = try store.cube(id, owner: owner, by: admin)?.text
                guard possible[id]?.contains(text) == true else {
                    return "\(id) is \(text ?? "nothing"), not one of \(possible[id] ?? [])"
                }
            }
        } catch let error as StoreError where error.code == .unavailable || error.code == .busy {
            // Nobody knows; a later look must find one of the two.
        } catch { return "\(error)" }
        return nil
    }

    @Test func `what clients are told by several servers is one history, whatever is cut`() async throws {
        let server = try TestServer(isOwn: true)
        let schema = TestServer.schema()
        let stores = try (0..<3).map { _ in try server.store(schema) }
        let isDone = cutConnections(of: server, schema)
        let wrong = NIOLockedValueBox<[String]>([])
        try await onThreads(8) { client in
            var random = Seeded(state: UInt64(client) + 1)
            var possible: Possible = [:]
            for i in 0..<10_000 where i < 25 || !isDone.withLockedValue(\.self) {
                if let problem = step(&random, stores, "user\(client)", &possible) {
                    wrong.withLockedValue { $0.append("client \(client): \(problem)") }
                }
            }
            // All servers agree in the end, on what the client was told.
            for store in stores {
                for (id, texts) in possible {
                    let text = try store.cube(id, owner: Owner(user: "user\(client)"), by: admin)?.text
                    if !texts.contains(text) {
                        wrong.withLockedValue { $0.append("client \(client): \(id) ended as \(text ?? "nothing")") }
                    }
                }
            }
        }
        #expect(wrong.withLockedValue { $0 } == [])
        #expect(try stores[0].check(repair: false, by: admin).filter { !$0.sound }.isEmpty)
        #expect(try stores[0].verifyAudit(keys: nil, head: nil, by: admin).findings.isEmpty)
        for store in stores { try store.close() }
    }
}

/// Random numbers that are the same in each run (splitmix64).
private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
