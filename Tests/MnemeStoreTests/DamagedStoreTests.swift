import Crypto
import Foundation
import GRDB
import MnemeStore
import Testing

/// Stores whose rows hold what no program of ours wrote: each is refused with a ``StoreError``, or
/// read.
@Suite struct DamagedStoreTests {
    private static let ana = Owner(user: "ana")

    private static func add(_ text: String) -> Mutation {
        var cube = MemCube(
            scope: Scope(user: "ana", agent: "a", session: "s"), type: .episodic, text: text,
            eventTime: Date(),
            recordedTime: Date(),
            provenance: Provenance(source: "test"))
        cube.expires = Date(timeIntervalSinceNow: 100_000)
        return .add(cube, analysis: [], contentHash: Array(text.utf8))
    }

    private static func fill(_ path: String) throws -> [CubeID] {
        let store = try SQLiteMemoryStore(
            path: path, analyzer: "test", auditKey: Curve25519.Signing.PrivateKey())
        let ids = try (0..<3).map {
            try store.commit([add("memory \($0)")], owner: ana, by: .local)[0].id
        }
        _ = try store.commit(
            [.link(CubeLink(source: ids[0], target: ids[1], kind: "related", time: Date()))],
            owner: ana, by: .local)
        _ = try store.list(CubeFilter(owner: ana), by: Caller(.local, operation: "list"))
        _ = try store.verifyAudit(keys: nil, head: nil, by: .local)
        try store.close()
        // Without what keeps SQLite from storing anything anywhere.
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    PRAGMA writable_schema = ON;
                    UPDATE sqlite_master SET sql = replace(replace(replace(sql, ' STRICT', ''), ' NOT NULL', ''), ', WITHOUT ROWID', '')
                        WHERE type = 'table' AND sql NOT LIKE '%WITHOUT ROWID%';
                    """)
        }
        try queue.close()
        return ids
    }

    /// All that reads a store.
    private static func look(_ path: String, _ ids: [CubeID]) {
        func attempt(_ what: String, _ body: () throws -> Void) {
            do { try body() } catch is StoreError {} catch is AccessError {} catch {
                Issue.record("\(what): \(error)")
            }
        }
        attempt("open") {
            let store = try SQLiteMemoryStore(
                path: path, analyzer: "test", auditKey: Curve25519.Signing.PrivateKey())
            let caller = Caller(.local, operation: "look")
            attempt("list") { _ = try store.list(CubeFilter(owner: ana), by: caller) }
            attempt("owners") { _ = try store.owners() }
            for id in ids {
                attempt("get") { _ = try store.cube(id, owner: ana, asOf: nil, by: caller) }
                attempt("as of") { _ = try store.cube(id, owner: ana, asOf: Date(), by: caller) }
                attempt("history") { _ = try store.history(id, owner: ana, by: caller) }
                attempt("links") { _ = try store.links(of: id, owner: ana, by: caller) }
            }
            attempt("changes") {
                _ = try store.changes(
                    owner: ana, since: 0, vectorsSince: 0, embedder: "e", former: nil,
                    visibility: .all)
                _ = try store.changes(
                    owner: ana, since: 1, vectorsSince: 0, embedder: "e", former: nil,
                    visibility: .all)
            }
            attempt("pending") { _ = try store.pendingEmbeddings(embedder: "e", limit: 10) }
            attempt("statistics") { _ = try store.statistics(owner: nil, by: caller) }
            attempt("audit") { _ = try store.auditEntries(after: 0, limit: 100, by: caller) }
            attempt("verify") { _ = try store.verifyAudit(keys: nil, head: nil, by: caller) }
            attempt("check") { _ = try store.check(repair: false, by: caller) }
            attempt("grants") { _ = try store.grants(to: caller) }
            attempt("jobs") { _ = try store.jobCounts() }
            attempt("archive") { _ = try store.commit([.archive(ids[0])], owner: ana, by: .local) }
            attempt("add") { _ = try store.commit([add("more")], owner: ana, by: .local) }
            attempt("close") { try store.close() }
        }
    }

    @Test(arguments: ["cube", "journal", "audit", "audit_checkpoint", "owner", "session", "link"])
    func `any value of any column is refused or read`(table: String) throws {
        let folder = try TemporaryFolder(), sound = folder.path + "/sound.db",
            ids = try Self.fill(sound)
        let columns = try DatabaseQueue(path: sound).read { db in
            try db.columns(in: table).map(\.name)
        }
        for column in columns {
            for value in [
                "NULL", "'x'", "1e300", "9e999", "9223372036854775807", "-9223372036854775808",
            ] {
                let path = folder.path + "/\(UUID().uuidString).db"
                try FileManager.default.copyItem(atPath: sound, toPath: path)
                let queue = try DatabaseQueue(path: path)
                // What contradicts an index or a key cannot be written even so.
                try? queue.writeWithoutTransaction { db in
                    try db.execute(
                        sql:
                            "PRAGMA foreign_keys = OFF; UPDATE OR IGNORE \(table) SET \(column) = \(value)"
                    )
                }
                try queue.close()
                Self.look(path, ids)
                for end in ["", "-wal", "-shm"] { unlink(path + end) }
            }
        }
    }

    @Test func `a header of any values is refused or read`() throws {
        let folder = try TemporaryFolder(), sound = folder.path + "/sound.db",
            ids = try Self.fill(sound)
        let header = try DatabaseQueue(path: sound).read {
            try String.fetchOne($0, sql: "SELECT header FROM cube LIMIT 1") ?? ""
        }
        for text in [
            "{}", "[]", "1", "", String(repeating: "[", count: 10_000),
            header.replacing("{", with: #"{"confirmations":9223372036854775807,"#),
            header.replacing("{", with: #"{"confirmations":1e300,"#),
            header.replacing(
                "\"dates\":[]", with: #""dates":[{"start":1e300,"end":1e300,"text":"x"}]"#),
            header.replacing("\"tags\":[]", with: "\"tags\":{}"),
            header.replacing("\"tags\":[]", with: "\"tags\":[1]"),
        ] {
            let path = folder.path + "/\(UUID().uuidString).db"
            try FileManager.default.copyItem(atPath: sound, toPath: path)
            let queue = try DatabaseQueue(path: path)
            try queue.write { try $0.execute(sql: "UPDATE cube SET header = ?", arguments: [text]) }
            try queue.close()
            Self.look(path, ids)
            for end in ["", "-wal", "-shm"] { unlink(path + end) }
        }
    }
}
