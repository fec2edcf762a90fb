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
        cube.claims = [Claim(subject: "ana", attribute: "home", value: text)]
        return .add(cube, analysis: [], contentHash: Array(text.utf8))
    }

    private static let guest = Principal(
        name: "guest", permissions: [.read], tenant: ana.tenant, user: "guest")
    private static let past = Date(timeIntervalSince1970: 1_000)

    /// A store with rows in every table.
    private static func fill(_ path: String) throws -> [CubeID] {
        let store = try SQLiteMemoryStore(
            path: path, analyzer: "test", auditKey: Curve25519.Signing.PrivateKey())
        // Entries that are old enough to be taken out of the audit log.
        _ = try store.create(ana, by: Caller(.local, time: past))
        _ = try store.shortenAudit(
            before: past.addingTimeInterval(1), by: .local, archive: { _ in })
        let ids = try (0..<3).map {
            try store.commit([add("memory \($0)")], owner: ana, by: .local)[0].id
        }
        _ = try store.commit(
            [.link(CubeLink(source: ids[0], target: ids[1], kind: "related", time: Date()))],
            owner: ana, by: .local)
        for result in try store.commit([repeated]) { _ = try result.get() }
        // Each claim ends the one before, and makes another version of it.
        let last = try #require(try store.cube(ids[2], owner: ana, asOf: nil, by: .local))
        try store.saveVectors([(ids[2], last.version, [1, 0])], embedder: "e")
        _ = try store.share(Grant(owner: ana, grantee: .user("guest")), by: .local)
        _ = try store.enqueue(job, by: .local)
        let hourly = try #require(CronExpression("0 * * * *"))
        try store.setSchedule(
            JobSchedule(name: "hourly", cron: hourly, job: job, since: past), by: .local)
        try store.setPolicy(MemoryPolicy(), tenant: nil, by: .local)
        try store.setProgress(ids[0], of: "work", owner: ana)
        try store.record(
            VaultExport(
                owner: ana, kind: .file, place: "/copy", time: past, principal: "test", position: 1)
        )
        _ = try store.list(CubeFilter(owner: ana), by: Caller(.local, operation: "list"))
        _ = try store.verifyAudit(keys: nil, head: nil, by: .local)
        try store.close()
        // Without what keeps SQLite from storing anything anywhere.
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    PRAGMA writable_schema = ON;
                    UPDATE sqlite_master SET sql = replace(replace(replace(
                        sql, ' STRICT, WITHOUT ROWID', ' WITHOUT ROWID'), ' STRICT', ''), ' NOT NULL', '')
                        WHERE type = 'table';
                    """)
        }
        try queue.close()
        return ids
    }

    private static let job = Job("tidy", owner: ana, created: past, due: past)
    private static var repeated: WriteRequest {
        WriteRequest([add("repeated")], owner: ana, by: .local, idempotencyKey: "key")
    }

    /// How many calls were refused, and how many were answered.
    private struct Outcome {
        var refused = 0, answered = 0

        static func += (sum: inout Outcome, other: Outcome) {
            sum.refused += other.refused
            sum.answered += other.answered
        }
    }

    /// Calls all that reads a store.
    private static func look(_ path: String, _ ids: [CubeID]) -> Outcome {
        var outcome = Outcome()
        func attempt(_ what: String, _ body: () throws -> Void) {
            do {
                try body()
                outcome.answered += 1
            } catch is StoreError {
                outcome.refused += 1
            } catch is AccessError {
                outcome.refused += 1
            } catch { Issue.record("\(what): \(error)") }
        }
        attempt("open") {
            let store = try SQLiteMemoryStore(
                path: path, analyzer: "test", auditKey: Curve25519.Signing.PrivateKey())
            let caller = Caller(.local, operation: "look")
            attempt("list") { _ = try store.list(CubeFilter(owner: ana), by: caller) }
            attempt("list after progress") {
                var filter = CubeFilter(owner: ana)
                filter.afterProgress = "work"
                _ = try store.list(filter, by: caller)
            }
            attempt("snapshot") {
                _ = try store.snapshot(owner: ana, asOf: Date(), by: caller)
            }
            attempt("owners") { _ = try store.owners() }
            attempt("position") { _ = try store.position(of: ana) }
            attempt("count") { _ = try store.count(owner: ana, limit: 10) }
            attempt("traces") { _ = try store.traces(of: ids, owner: ana) }
            attempt("standing") { _ = try store.availability(of: ids, owner: ana, by: caller) }
            for id in ids {
                attempt("get") { _ = try store.cube(id, owner: ana, asOf: nil, by: caller) }
                attempt("as of") { _ = try store.cube(id, owner: ana, asOf: Date(), by: caller) }
                attempt("history") { _ = try store.history(id, owner: ana, by: caller) }
                attempt("links") { _ = try store.links(of: id, owner: ana, by: caller) }
            }
            for position in [0, 1] as [Int64] {
                attempt("changes since \(position)") {
                    _ = try store.changes(
                        owner: ana, since: FeedPosition(position), embedder: "e", former: nil,
                        visibility: .all)
                }
            }
            attempt("pending") { _ = try store.pendingEmbeddings(replacing: "e", limit: 10) }
            attempt("pending count") { _ = try store.pendingEmbeddingCount(replacing: "e") }
            attempt("statistics") { _ = try store.statistics(owner: nil, by: caller) }
            attempt("audit") { _ = try store.auditEntries(after: 0, limit: 100, by: caller) }
            attempt("checkpoints") { _ = try store.auditCheckpoints(by: caller) }
            attempt("verify") { _ = try store.verifyAudit(keys: nil, head: nil, by: caller) }
            attempt("shorten") {
                _ = try store.shortenAudit(before: past, by: caller, archive: { _ in })
            }
            attempt("check") { _ = try store.check(repair: false, by: caller) }
            attempt("grants") { _ = try store.grants(owner: ana, by: caller) }
            attempt("grants to a guest") { _ = try store.grants(to: Caller(guest)) }
            attempt("shared") { _ = try store.list(CubeFilter(owner: ana), by: Caller(guest)) }
            attempt("policy") { _ = try store.policy(of: "t") }
            attempt("exports") { _ = try store.exports(of: ana, by: caller) }
            attempt("erased") { _ = try store.erased(of: ana, since: 0) }
            attempt("job counts") { _ = try store.jobCounts() }
            attempt("jobs") {
                _ = try store.jobs(in: Set(Job.State.allCases), limit: 9, by: caller)
            }
            attempt("schedules") { _ = try store.schedules(by: caller) }
            attempt("scheduled") { _ = try store.enqueueScheduled(now: Date()) }
            attempt("queue") {
                for job in try store.queue(now: Date()) {
                    _ = try store.lease(job.id, worker: "w", now: Date(), until: Date())
                    try store.finish(job.id, worker: "w", .released, now: Date())
                }
            }
            attempt("vectors") { try store.saveVectors([(ids[1], 1, [1, 0])], embedder: "e") }
            attempt("progress") { try store.setProgress(ids[2], of: "work", owner: ana) }
            attempt("repeated") { _ = try store.commit([repeated])[0].get() }
            attempt("archive") { _ = try store.commit([.archive(ids[0])], owner: ana, by: .local) }
            attempt("add") { _ = try store.commit([add("more")], owner: ana, by: .local) }
            attempt("erase") { _ = try store.commit([.erase(ids[1])], owner: ana, by: .local) }
            attempt("close") { try store.close() }
        }
        return outcome
    }

    /// Tables of which every value is refused or read; what a value of theirs means is the rest of
    /// the row's matter.
    private static let tables = [
        "cube", "journal", "audit", "audit_base", "audit_checkpoint", "owner", "session", "link",
        "vector", "pending", "claim", "access_grant", "idempotency", "counter", "job", "schedule",
        "policy", "progress", "export", "tally", "grdb_migrations",
    ]

    @Test func `every table is damaged in the tests, and has rows to damage`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/sound.db"
        let ids = try Self.fill(path)
        try DatabaseQueue(path: path).read { db in
            let tables = try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_master WHERE type = 'table'")
            #expect(Set(tables).subtracting(["sqlite_sequence"]) == Set(Self.tables))
            for table in tables {
                let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)")
                #expect(count ?? 0 > 0, "\(table)")
            }
        }
        // A sound one is read whole.
        #expect(Self.look(path, ids).refused == 0)
    }

    @Test func `counts that are wrong are found, and counted anew by a repair`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store.db"
        _ = try Self.fill(path)
        let sound = try SQLiteMemoryStore(path: path, analyzer: "test").statistics(
            owner: nil, by: .local)
        try DatabaseQueue(path: path).write {
            try $0.execute(
                sql: "UPDATE tally SET value = value + 7; INSERT INTO tally SELECT id, 'state', 'x', 1 FROM owner")
        }
        let store = try SQLiteMemoryStore(path: path, analyzer: "test")
        func counts(_ repair: Bool) throws -> StoreFinding? {
            try store.check(repair: repair, by: .local).first { $0.check == "counts" }
        }
        #expect(try counts(false)?.sound == false)
        #expect(try counts(true)?.repaired == true)
        #expect(try counts(false)?.sound == true)
        let repaired = try store.statistics(owner: nil, by: .local)
        #expect(repaired.memories == sound.memories && repaired.byState == sound.byState)
    }

    @Test(arguments: tables) func `any value of any column is refused or read`(table: String)
        throws
    {
        let folder = try TemporaryFolder()
        let sound = folder.path + "/sound.db"
        let ids = try Self.fill(sound)
        let columns = try DatabaseQueue(path: sound).read { db in
            try db.columns(in: table).map(\.name)
        }
        var outcome = Outcome()
        for column in columns {
            for value in [
                "NULL", "'x'", "x'ff00ff'", "1e300", "9e999", "9223372036854775807",
                "-9223372036854775808",
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
                outcome += Self.look(path, ids)
                for end in ["", "-wal", "-shm"] { unlink(path + end) }
            }
        }
        // A store of other migrations is another program's: nothing of it is read.
        if table != "grdb_migrations" { #expect(outcome.answered > 0) }
        // Keys alone: a wrong one leads nowhere. A vector of a wrong length is named by the check.
        if !["pending", "progress", "vector"].contains(table) { #expect(outcome.refused > 0) }
    }

    @Test func `a header of any values is refused or read`() throws {
        let folder = try TemporaryFolder()
        let sound = folder.path + "/sound.db"
        let ids = try Self.fill(sound)
        let header = try DatabaseQueue(path: sound).read {
            try String.fetchOne($0, sql: "SELECT header FROM cube LIMIT 1") ?? ""
        }
        var outcome = Outcome()
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
            outcome += Self.look(path, ids)
            for end in ["", "-wal", "-shm"] { unlink(path + end) }
        }
        #expect(outcome.refused > 0 && outcome.answered > 0)
    }
}
