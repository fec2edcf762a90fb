import Crypto
import Foundation
import MnemePostgres
import MnemeStore
import Testing

@Suite(.enabled(if: TestServer.isThere, Comment(rawValue: TestServer.missing)))
struct StoreCopyTests {
    /// All rows of a store, table by table.
    private func rows(_ store: any MemoryStore) throws -> [String: [[StoredValue]]] {
        var all: [String: [[StoredValue]]] = [:]
        try #require(store as? any CopyableStore).readTables { reader in
            for table in StoreTable.all {
                try reader.forEachRow(table) { all[table.name, default: []].append($0) }
            }
        }
        // Both logs say that the store was copied.
        return all.filter { !["audit", "audit_checkpoint"].contains($0.key) }
    }

    /// Something in each table.
    private func fill(_ store: any MemoryStore) throws {
        let owner = Owner(user: "alice")
        var first = sample("Ana lives in Lisbon. 日本 😀\n\"quoted\" \\ back")
        first.scope.session = "s"
        first.claims = [Claim(subject: "ana", attribute: "residence", value: "lisbon")]
        first.tags = ["a", "b"]
        let second = sample("to be erased")
        let third = sample("third")
        let link = CubeLink(
            source: first.id, target: third.id, kind: "related", time: Date(timeIntervalSince1970: 5.25))
        try store.commit(
            [add(first), add(second), add(third), .link(link)], owner: owner, by: admin, idempotencyKey: "k")
        try store.commit([.erase(second.id), .archive(third.id)], owner: owner, by: admin)
        try store.saveVectors([(first.id, 1, [0.5, -1e-30])], embedder: "e")
        try store.recordUse([first.id: Usage(count: 3, last: Date(timeIntervalSince1970: 9))], owner: owner)
        try store.setProgress(first.id, of: "links", owner: owner)
        _ = try store.share(Grant(owner: owner, grantee: .user("bob")), by: admin)
        try store.setPolicy(MemoryPolicy(), tenant: "t", by: admin)
        _ = try store.enqueue(Job("tick", arguments: ["a": "b"]), by: admin)
        try store.setSchedule(
            JobSchedule(name: "n", cron: try #require(CronExpression("0 3 * * *")), job: Job("tick")), by: admin)
        try store.record(
            VaultExport(
                owner: owner, kind: .file, place: "/x", time: Date(timeIntervalSince1970: 1), principal: "p",
                position: 3))
        _ = try store.verifyAudit(keys: nil, head: nil, by: admin)
    }

    @Test func `a store goes to PostgreSQL and back with every row as it was`() throws {
        let server = try TestServer.shared.get()
        let folder = FileManager.default.temporaryDirectory.path + "/mneme-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let source = try SQLiteMemoryStore(path: folder + "/a.db", analyzer: "test", auditKey: .init())
        try fill(source)
        let database = try server.store()
        let back = try SQLiteMemoryStore(path: folder + "/b.db", analyzer: "test", auditKey: .init())
        let there = try StoreCopy(("a", "database"), by: admin).run(from: source, to: database)
        _ = try StoreCopy(("database", "b"), by: admin).run(from: database, to: back)
        let expected = try rows(source)
        #expect(there.memories == 2 && there.journalEntries == 6)
        #expect(Set(expected.keys).isSuperset(of: ["cube", "vector", "pending", "claim", "job", "export"]))
        #expect(try rows(database) == expected)
        #expect(try rows(back) == expected)
        // It goes on where it was.
        let cube = sample("later")
        try database.commit([add(cube)], owner: cube.scope.owner, by: admin)
        #expect(try database.position(of: cube.scope.owner) == 7)
        #expect(try database.verifyAudit(keys: nil, head: nil, by: admin).findings.isEmpty)
        for store in [source, database, back] as [any MemoryStore] { try store.close() }
    }

    @Test func `a backup of either backend is restored to either, row by row, also what came later`() throws {
        let server = try TestServer.shared.get()
        let folder = FileManager.default.temporaryDirectory.path + "/mneme-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func file(_ name: String) throws -> any MemoryStore {
            try SQLiteMemoryStore(path: "\(folder)/\(name).db", analyzer: "test", auditKey: .init())
        }
        for (i, source) in [try file("a"), try server.store()].enumerated() {
            let series = BackupSeries(folder: "\(folder)/backup-\(i)", key: nil)
            try fill(source)
            let first = try #require(try series.add(source, by: admin))
            let before = try rows(source)
            let cube = sample("later")
            try source.commit([add(cube)], owner: cube.scope.owner, by: admin)
            try source.saveVectors([(cube.id, 1, [0.25])], embedder: "e")
            let last = try #require(try series.add(source, by: admin))
            #expect(first.isWhole && !last.isWhole && last.rows < first.rows)
            let after = try rows(source)
            for (j, target) in [try file("to-\(i)"), try server.store()].enumerated() {
                _ = try series.restore(last, to: target, by: admin)
                #expect(try rows(target) == after, "\(i) to \(j)")
                try StoreCopy.verify(target, by: admin)
                // It goes on where it was.
                let next = sample("on")
                try target.commit([add(next)], owner: next.scope.owner, by: admin)
                #expect(try target.position(of: next.scope.owner) == 8)
            }
            let early = try file("early-\(i)")
            _ = try series.restore(first, to: early, by: admin)
            #expect(try rows(early) == before)
        }
    }

    @Test func `a copy into a store that holds something is refused, and changes nothing`() throws {
        let server = try TestServer.shared.get()
        let (source, target) = (try server.store(), try server.store())
        try fill(source)
        let cube = sample("here before")
        try target.commit([add(cube)], owner: cube.scope.owner, by: admin)
        let error = #expect(throws: StoreError.self) {
            try StoreCopy(("a", "b"), by: admin).run(from: source, to: target)
        }
        #expect(error?.code == .conflict)
        #expect(try target.list(CubeFilter(owner: cube.scope.owner), by: admin).map(\.text) == ["here before"])
        try source.close()
        try target.close()
    }
}
