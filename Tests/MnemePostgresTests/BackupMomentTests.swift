import Crypto
import Foundation
import MnemePostgres
import MnemeStore
import Testing

@Suite(.enabled(if: TestServer.isThere, Comment(rawValue: TestServer.missing)))
struct BackupMomentTests {
    /// Tables of which any moment follows from journal and audit log.
    private static let logged = [
        "owner", "session", "cube", "link", "journal", "claim", "idempotency", "access_grant", "audit",
    ]

    /// A caller at the present time: grants are told apart by it.
    private var now: Caller { Caller(admin.principal) }

    /// The rows of these tables, without use counts, which nothing but a point has.
    private func rows(_ store: any MemoryStore, upTo audit: Int64 = .max) throws -> [String: Set<[StoredValue]>] {
        var all: [String: Set<[StoredValue]>] = [:]
        try #require(store as? any CopyableStore).readTables { reader in
            for table in Self.logged.map(StoreTable.named) {
                try reader.forEachRow(table) { row in
                    if table.name == "audit", try row.number("position", of: table) > audit { return }
                    let row = zip(table.columns, row).map { ["uses", "last_used"].contains($0) ? .null : $1 }
                    all[table.name, default: []].insert(row)
                }
            }
        }
        return all
    }

    @Test func `moments of a database are restored to a database and to a file`() throws {
        let server = try TestServer.shared.get()
        let folder = FileManager.default.temporaryDirectory.path + "/mneme-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let source = try server.store()
        let series = BackupSeries(folder: folder + "/backup", key: nil)
        let owner = Owner(user: "alice")
        var states: [(position: Int64, rows: [String: Set<[StoredValue]>])] = []
        func commit(_ mutations: Mutation..., key: String? = nil) throws {
            try source.commit(mutations, owner: owner, by: now, idempotencyKey: key)
            try source.flush()
            states.append((try source.position(of: owner), try rows(source)))
        }
        func cube(_ text: String, _ home: String) -> MemCube {
            var cube = sample(text)
            cube.scope.session = "s"
            cube.claims = [Claim(subject: "ana", attribute: "home", value: home)]
            return cube
        }
        let (first, second, third) = (cube("first", "rome"), cube("second", "lisbon"), cube("third", "rome"))
        try commit(add(first), key: "a")
        _ = try source.share(Grant(owner: owner, grantee: .user("bob")), by: now)
        _ = try series.add(source, by: now)
        try commit(add(second), key: "b")
        let link = CubeLink(
            source: first.id, target: second.id, kind: "related", time: Date(timeIntervalSince1970: 5))
        try commit(.link(link))
        _ = try source.share(Grant(owner: owner, cube: second.id, grantee: .user("eve")), by: now)
        try commit(.archive(second.id))
        try commit(.unlink(link), .restore(second.id))
        try commit(add(third))
        _ = try series.add(source, by: now)
        #expect(states.count == 6)
        for state in states {
            let moment = try series.moment(position: state.position)
            #expect(moment.position == state.position)
            let file = try SQLiteMemoryStore(
                path: "\(folder)/\(state.position).db", analyzer: "test", auditKey: Curve25519.Signing.PrivateKey())
            for target in [file, try server.store()] as [any MemoryStore] {
                #expect(try series.restore(moment, to: target, by: now).erasedLater.isEmpty)
                var (found, expected) = (try rows(target, upTo: moment.audit), state.rows)
                // A point lies behind the request that wrote its position.
                if moment.after == nil {
                    for table in ["audit", "access_grant"] { (found[table], expected[table]) = (nil, nil) }
                }
                for table in Self.logged {
                    #expect(found[table] == expected[table], "\(table) at \(state.position)")
                }
                try StoreCopy.verify(target, by: now)
                // It goes on where it was.
                let next = sample("on")
                try target.commit([add(next)], owner: owner, by: now)
                #expect(try target.position(of: owner) == state.position + 1)
                try target.close()
            }
        }
        try source.close()
    }
}
