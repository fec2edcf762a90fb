import Foundation
import MnemePostgres
import MnemeStore
import MnemeTesting
import NIOConcurrencyHelpers
import Testing

@Suite(.enabled(if: TestServer.isThere, Comment(rawValue: TestServer.missing)))
struct PostgresStoreTests {
    let server: TestServer

    init() throws { server = try TestServer.shared.get() }

    @Test(arguments: MemoryStoreConformance.all + MemoryStoreConformance.candidates)
    func `the PostgreSQL store conforms`(check: MemoryStoreConformance) throws {
        let store = try server.store()
        try check.run(store)
        try store.close()
    }

    @Test func `what one server writes another reads, also after both were closed`() throws {
        let schema = TestServer.schema()
        let (one, other) = (try server.store(schema), try server.store(schema))
        let cube = sample("tea with \"quotes\", a \\ and 日本 😀 ? $1")
        try one.commit([add(cube)], owner: cube.scope.owner, by: admin)
        #expect(try other.cube(cube.id, owner: cube.scope.owner, by: admin)?.text == cube.text)
        try other.commit([.erase(cube.id)], owner: cube.scope.owner, by: admin)
        #expect(try one.cube(cube.id, owner: cube.scope.owner, by: admin) == nil)
        #expect(try one.traces(of: [cube.id], owner: cube.scope.owner).isEmpty)
        try one.close()
        try other.close()
        let again = try server.store(schema)
        #expect(try again.owners() == [cube.scope.owner])
        #expect(try again.verifyAudit(keys: nil, head: nil, by: admin).findings.isEmpty)
        try again.close()
    }

    @Test func `two servers write at once: positions have no gaps, and no index misses a row`() async throws {
        let schema = TestServer.schema()
        let stores = [try server.store(schema), try server.store(schema)]
        let owner = Owner(user: "alice")
        let written = NIOLockedValueBox(Set<CubeID>())
        let seen = NIOLockedValueBox(Set<CubeID>())
        try await onThreads(5) { worker in
            guard worker < 4 else {
                // An index that catches up all the time, as each recall does.
                var position: Int64 = 0
                while position < 80 {
                    let changes = try stores[0].changes(
                        owner: owner, since: FeedPosition(position), embedder: "e")
                    seen.withLockedValue { $0.formUnion(changes.rows.map(\.id)) }
                    position = changes.reached.journal
                }
                return
            }
            for i in 0..<20 {
                let cube = sample("\(worker) says \(i)")
                // One in four is refused: its positions are given again.
                let refused = WriteRequest(
                    [add(sample("none")), .archive(CubeID())], owner: owner, by: admin)
                let request = WriteRequest([add(cube)], owner: owner, by: admin)
                let results = try stores[worker % 2].commit(i % 4 == 0 ? [refused, request] : [request])
                _ = try results.last?.get()
                written.withLockedValue { _ = $0.insert(cube.id) }
            }
        }
        #expect(seen.withLockedValue { $0 } == written.withLockedValue { $0 })
        #expect(written.withLockedValue { $0.count } == 80)
        #expect(try stores[0].position(of: owner) == 80)
        #expect(try stores[1].check(repair: false, by: admin).filter { !$0.sound }.isEmpty)
        #expect(try stores[1].verifyAudit(keys: nil, head: nil, by: admin).findings.isEmpty)
        for store in stores { try store.close() }
    }

    @Test func `the database answers with the rows of one owner, whatever a statement forgets`() throws {
        let schema = TestServer.schema()
        let store = try server.store(schema)
        for user in ["alice", "bob"] {
            try store.commit([add(sample("of \(user)", user: user))], owner: Owner(user: user), by: admin)
        }
        let connection = try PGConnection(server.settings(schema))
        /// All texts of all tables that a transaction of this scope sees.
        func texts(_ scope: String?) throws -> [String] {
            try connection.run("BEGIN")
            if let scope { try connection.run("SELECT set_config('mneme.owner', ?, true)", [scope]) }
            let texts = try connection.texts(
                "SELECT text FROM cube UNION ALL SELECT payload::json ->> 'text' FROM journal ORDER BY 1")
            try connection.run("ROLLBACK")
            try connection.sync()
            return texts
        }
        let ids = try connection.texts("SELECT id::text FROM owner ORDER BY id")
        #expect(try texts(ids[0]) == ["of alice", "of alice"])
        #expect(try texts(ids[1]) == ["of bob", "of bob"])
        #expect(try texts(nil).isEmpty && texts("0").isEmpty && texts("").isEmpty)
        #expect(try texts("*").count == 4)
        // Nor can a row be given to another owner.
        try connection.run("BEGIN")
        try connection.run("SELECT set_config('mneme.owner', ?, true)", [ids[0]])
        #expect(throws: (any Error).self) {
            _ = try connection.changes("UPDATE cube SET owner = ?", [Int64(ids[1])])
        }
        try store.close()
    }

    @Test func `statements of before another version changed the tables are prepared anew`() throws {
        let schema = TestServer.schema()
        let store = try server.store(schema)
        let cube = sample("tea")
        let (owner, id) = (cube.scope.owner, cube.id)
        try store.commit([add(cube)], owner: owner, by: admin)
        #expect(try store.cube(id, owner: owner, by: admin)?.text == "tea")
        let connection = try PGConnection(server.settings(schema))
        func change(_ what: String) throws {
            try connection.run("ALTER TABLE cube \(what)", isKept: false)
            try connection.sync()
        }
        try change("ADD COLUMN later BIGINT")
        #expect(try store.cube(id, owner: owner, by: admin)?.text == "tea")
        // A commit reads the row before it changes it.
        try store.commit([.freeze(id)], owner: owner, by: admin)
        try change("DROP COLUMN later")
        try store.commit([.erase(id)], owner: owner, by: admin)
        #expect(try store.cube(id, owner: owner, by: admin) == nil)
        #expect(try store.verifyAudit(keys: nil, head: nil, by: admin).findings.isEmpty)
        try store.close()
    }

    @Test func `a foreign schema, a newer one and a wrong password are refused with a reason`() throws {
        let schema = TestServer.schema()
        try server.store(schema).close()
        let connection = try PGConnection(server.settings(schema))
        try connection.run("INSERT INTO mneme_migration (name) VALUES ('9999')")
        try connection.sync()
        #expect(throws: StoreError.self) { try server.store(schema) }.map { #expect($0.code == .newerVersion) }
        let foreign = TestServer.schema()
        try connection.run("CREATE SCHEMA \(foreign)")
        try connection.run("CREATE TABLE \(foreign).notes (text TEXT)")
        try connection.sync()
        #expect(throws: StoreError.self) { try server.store(foreign) }.map { #expect($0.code == .corrupt) }
        let wrong = server.url.replacingOccurrences(of: ":mneme@", with: ":wrong-word@")
        let error = #expect(throws: StoreError.self) {
            try PostgresMemoryStore(PostgresSettings(wrong), analyzer: "test")
        }
        #expect(error?.code == .unavailable && error?.message.contains("wrong-word") == false)
        #expect(error?.message.contains("password") == true)
    }
}

@Suite struct PostgresSettingsTests {
    @Test func `a URL keeps its password to itself`() throws {
        let settings = try PostgresSettings(
            "postgres://ana:s3cret@db.example:6432/notes?sslmode=require&mneme_schema=team&mneme_connections=3")
        #expect(settings.name == "postgres://ana@db.example:6432/notes")
        #expect(settings.schema == "team" && settings.connections == 3)
        #expect(try PostgresSettings("postgresql:///notes").name == "postgresql:///notes")
    }

    @Test(
        arguments: [
            "postgres://ana:s3cret@[::1/x", "postgres://ana:s3cret@db/x?mneme_schema=a;drop",
            "postgres://ana:s3cret@db/x?mneme_connections=0", "postgres://ana:s3cret@db/x?mneme_colour=red",
            "postgres://ana:s3cret@db/x?sslmode", "postgres://ana:s3cret@db/x?mneme_schema=pg_toast",
            "postgres://ana:s3cret@db/%zz", "mysql://ana:s3cret@db/x", "postgres://ana:s3cret@db/\0",
        ])
    func `a URL that cannot be is refused, without its password`(url: String) {
        let error = #expect(throws: StoreError.self) { try PostgresSettings(url) }
        #expect(error?.message.contains("s3cret") == false)
    }

    @Test func `a server that is not there is an error that says so`() throws {
        var settings = try PostgresSettings("postgres://ana:s3cret@127.0.0.1:1/x")
        settings.connectTimeout = 0.2
        let error = #expect(throws: StoreError.self) {
            try PostgresMemoryStore(settings, analyzer: "test")
        }
        #expect(error?.code == .unavailable && error?.message.contains("s3cret") == false)
    }
}
