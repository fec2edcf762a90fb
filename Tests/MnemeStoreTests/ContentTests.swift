import Foundation
import GRDB
import MnemeStore
import Testing

/// What was said is recognised in its session, and rows come back as they were written.
@Suite struct ContentTests {
    private static let owner = Owner(user: "ana")

    private static func addition(_ text: String, session: String?, hash: [UInt8]) -> Mutation {
        let cube = MemCube(
            scope: Scope(user: "ana", session: session), type: .episodic, text: text,
            eventTime: Date(timeIntervalSince1970: 5), recordedTime: Date(timeIntervalSince1970: 6),
            provenance: Provenance(source: "test"))
        return .add(cube, analysis: [], contentHash: hash)
    }

    private static func add(_ text: String, session: String?, to store: SQLiteMemoryStore) throws -> CubeID {
        try store.commit(
            [addition(text, session: session, hash: Array(text.utf8))], owner: owner, by: .local)[0].id
    }

    @Test func `the same content is found again in its session alone`() throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteMemoryStore(path: folder.path + "/s.db", analyzer: "test")
        let sessions = ["a", "b", nil]
        let ids = try sessions.map { try Self.add("The ferry is late", session: $0, to: store) }
        #expect(Set(ids).count == 3)
        for (session, id) in zip(sessions, ids) {
            #expect(try Self.add("The ferry is late", session: session, to: store) == id)
        }
        // Within one request, too, where a session's first memory makes it.
        let made = try store.commit(
            ["c", "c", "a"].map { Self.addition("Twice", session: $0, hash: [1]) }, owner: Self.owner, by: .local)
        #expect(made[0].id == made[1].id && made[0].id != made[2].id)
        // What was archived may be said anew.
        try store.commit([.archive(ids[0])], owner: Self.owner, by: .local)
        #expect(try Self.add("The ferry is late", session: "a", to: store) != ids[0])
        #expect(try store.check(repair: false, by: .local).allSatisfy(\.sound))
    }

    @Test func `a store of the former schema is migrated where it lies`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/s.db"
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        let ids = try [nil, "a"].map { try Self.add("The ferry is late", session: $0, to: store) }
        try store.close()
        let columns = "SELECT group_concat(name) FROM pragma_index_info('cube_content')"
        let queue = try DatabaseQueue(path: path)
        try queue.write { db in
            try db.execute(
                sql: """
                    DROP INDEX cube_content;
                    CREATE INDEX cube_content ON cube (owner, content_hash);
                    DELETE FROM grdb_migrations WHERE identifier = '15';
                    """)
            #expect(try String.fetchOne(db, sql: columns) == "owner,content_hash")
        }
        try queue.close()
        let again = try SQLiteMemoryStore(path: path, analyzer: "test")
        for (session, id) in zip([nil, "a"], ids) {
            #expect(try Self.add("The ferry is late", session: session, to: again) == id)
        }
        #expect(try again.check(repair: false, by: .local).allSatisfy(\.sound))
        #expect(try again.verifyAudit(keys: nil, head: nil, by: .local).findings.isEmpty)
        try again.close()
        let other = try DatabaseQueue(path: path)
        #expect(try other.read { try String.fetchOne($0, sql: columns) } == "owner,session,content_hash")
        try other.close()
    }

    @Test func `empty and missing values, and any character, come back as they were written`() throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteMemoryStore(path: folder.path + "/s.db", analyzer: "")
        var cube = MemCube(
            scope: Scope(user: "ana", agent: "", session: "ü/1"), type: .episodic,
            text: "é 日本 😀 \u{1}\"quoted\" \\ " + String(repeating: "long ", count: 3_000), speaker: "",
            eventTime: Date(timeIntervalSince1970: -0.125), recordedTime: Date(timeIntervalSince1970: 6),
            provenance: Provenance(source: "test"))
        cube.priority = 0.1
        let id = try store.commit(
            [.add(cube, analysis: [], contentHash: [0, 255])], owner: Self.owner, by: .local)[0].id
        let found = try #require(try store.cube(id, owner: Self.owner, asOf: nil, by: .local))
        #expect(found.text == cube.text && found.speaker == "" && found.scope == cube.scope)
        #expect(found.eventTime == cube.eventTime && found.priority == 0.1 && found.expires == nil)
        let entry = try #require(try store.history(id, owner: Self.owner, by: .local).first)
        #expect(entry.snapshot?.text == cube.text && entry.reason == nil)
    }

    @Test(arguments: ["a\0b", "\0", "long enough to be no small text, with an end\0"])
    func `a text with a NUL is refused, wherever it stands`(text: String) throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteMemoryStore(path: folder.path + "/s.db", analyzer: "test")
        for mutation in [
            Self.addition(text, session: nil, hash: [1]), Self.addition("x", session: text, hash: [2]),
        ] {
            #expect(throws: StoreError.self) {
                try store.commit(
                    [Self.addition("fine", session: nil, hash: [3]), mutation], owner: Self.owner, by: .local)
            }
        }
        #expect(try store.list(CubeFilter(owner: Self.owner), by: .local).isEmpty)
    }
}
