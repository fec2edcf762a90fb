import Foundation
import MnemePostgres
import MnemeStore
import Testing

/// A database that goes back: a standby that took over without the last commits, seen by servers that
/// have read them. Connections stay, as behind a pooler, so that nothing but the rows tells of it.
@Suite(.enabled(if: TestServer.isThere, Comment(rawValue: TestServer.missing)))
struct PostgresFailOverTests {
    let server: TestServer
    private let ana = Owner(user: "ana"), carol = Owner(user: "carol"), dave = Owner(user: "dave")

    init() throws { server = try TestServer.shared.get() }

    /// The rows of a schema at a moment, and the way back to them.
    private struct Moment {
        let db: PGConnection

        /// Keeps all rows.
        init(_ settings: PostgresSettings) throws {
            db = try PGConnection(settings)
            try db.run("BEGIN")
            try db.run("SELECT set_config('mneme.owner', '*', true)")
            for table in StoreTable.all {
                try db.run("CREATE TABLE kept_\(table.name) AS SELECT * FROM \(table.name)", isKept: false)
            }
            try db.run("COMMIT")
            try db.sync()
        }

        /// Puts them back, and what gives owners their numbers.
        func comeBack() throws {
            let names = StoreTable.all.map(\.name)
            try db.run("BEGIN")
            try db.run("SELECT set_config('mneme.owner', '*', true)")
            try db.run("TRUNCATE \(names.joined(separator: ", "))", isKept: false)
            for name in names { try db.run("INSERT INTO \(name) SELECT * FROM kept_\(name)", isKept: false) }
            try db.run("SELECT setval(pg_get_serial_sequence('owner', 'id'), (SELECT max(id) FROM owner))")
            try db.run("COMMIT")
            try db.sync()
        }

        func number(of owner: Owner) throws -> String? {
            try db.texts("SELECT id::text FROM owner WHERE \"user\" = ?", [owner.user]).first
        }
    }

    private func changes(
        _ store: PostgresMemoryStore, _ owner: Owner, _ since: FeedPosition = .start
    ) throws -> IndexChanges {
        try store.changes(owner: owner, since: since, embedder: "e")
    }

    @Test func `an index ahead of the database begins anew, and nobody gets another's row`() throws {
        let schema = TestServer.schema()
        let (one, other) = (try server.store(schema), try server.store(schema))
        let first = sample("first", user: "ana")
        try one.commit([add(first)], owner: ana, by: admin)
        let moment = try Moment(server.settings(schema))
        let start = try changes(one, ana).reached
        // Of these nobody but the first server will know.
        try one.commit([add(sample("lost", user: "ana"))], owner: ana, by: admin)
        try one.commit([add(sample("lost", user: "carol"))], owner: carol, by: admin)
        let (ahead, carols) = (try changes(one, ana, start).reached, try changes(one, carol).reached)
        let number = try moment.number(of: carol)
        try moment.comeBack()
        let (hers, kept) = (sample("dave's", user: "dave"), sample("kept", user: "ana"))
        try other.commit([add(hers)], owner: dave, by: admin)
        try other.commit([add(kept)], owner: ana, by: admin)
        #expect(try moment.number(of: dave) == number, "the case that is to be tested")

        let found = try changes(one, ana, ahead)
        #expect(found.isReset && found.rows.map(\.id) == [first.id, kept.id])
        #expect(try changes(one, ana, found.reached).isEmpty)
        let hidden = try changes(one, carol, carols)
        #expect(hidden.isReset && hidden.rows.isEmpty)
        #expect(try one.list(CubeFilter(owner: carol), by: admin).isEmpty)
        #expect(try one.cube(hers.id, owner: carol, asOf: nil, by: admin) == nil)
        let again = sample("again", user: "carol")
        try one.commit([add(again)], owner: carol, by: admin)
        #expect(try other.list(CubeFilter(owner: carol), by: admin).map(\.text) == ["again"])
        #expect(try other.list(CubeFilter(owner: dave), by: admin).map(\.text) == ["dave's"])
        #expect(try one.verifyAudit(keys: nil, head: nil, by: admin).findings == [])
        for store in [one, other] { try store.close() }
    }

    @Test func `vectors that a fail-over lost leave no gap`() throws {
        let schema = TestServer.schema()
        let (one, other) = (try server.store(schema), try server.store(schema))
        let cubes = (0..<3).map { sample("\($0)", user: "ana") }
        try one.commit(cubes[..<2].map(add), owner: ana, by: admin)
        try one.saveVectors([(cubes[0].id, 1, [1, 0])], embedder: "e")
        let moment = try Moment(server.settings(schema))
        try one.saveVectors([(cubes[1].id, 1, [0, 1])], embedder: "e")
        let ahead = try changes(one, ana).reached
        try moment.comeBack()
        // Another server of the database says when it was started.
        try moment.db.run("UPDATE counter SET value = value - 1 WHERE name = 'primary'")
        try moment.db.sync()
        try other.commit([add(cubes[2])], owner: ana, by: admin)
        try other.saveVectors([(cubes[2].id, 1, [1, 1])], embedder: "e")
        let found = try changes(one, ana, ahead)
        #expect(!found.isReset && found.rows.map(\.id) == [cubes[2].id] && found.rows[0].vector == [1, 1])
        for store in [one, other] { try store.close() }
    }

    @Test func `a standby is refused with what to do`() throws {
        let url = server.url + "?options=-c%20default_transaction_read_only%3Don"
        let error = #expect(throws: StoreError.self) {
            _ = try PostgresMemoryStore(PostgresSettings(url), analyzer: "test")
        }
        #expect(error?.code == .readOnly && error?.message.contains("Name the primary") ?? false)
    }

    @Test func `of several servers the one that takes writes is found`() throws {
        // Nothing listens on the first port.
        let url = server.url.replacing("@127.0.0.1:", with: "@127.0.0.1:1,127.0.0.1:")
        let schema = TestServer.schema()
        let store = try PostgresMemoryStore(
            PostgresSettings(url + "?mneme_schema=" + schema), analyzer: "test")
        try store.commit([add(sample("tea"))], owner: Owner(user: "alice"), by: admin)
        #expect(try store.count(owner: Owner(user: "alice"), limit: 9) == 1)
        try store.close()
    }

    @Test func `the time is the database's, whatever becomes of a machine's clock`() throws {
        let clock = PGClock()
        #expect(abs(clock.now.timeIntervalSinceNow) < 1)
        // As if this machine were two hours behind, and then set right.
        clock.learn(Date().timeIntervalSince1970 + 7_200, asked: .now)
        #expect(abs(clock.now.timeIntervalSinceNow - 7_200) < 1)
        // An answer that was long under way says too little to move it by a second.
        clock.learn(Date().timeIntervalSince1970 + 7_200.5, asked: .now - .seconds(10))
        #expect(abs(clock.now.timeIntervalSinceNow - 7_200) < 1)
        clock.learn(Date().timeIntervalSince1970, asked: .now)
        #expect(abs(clock.now.timeIntervalSinceNow) < 1)
        let store = try server.store()
        #expect(abs(store.time.timeIntervalSinceNow) < 60)
        try store.close()
    }
}
