import Foundation
import MnemeStore

/// The audit log's rows in a transaction of PostgreSQL, in which all owners' rows are in sight where
/// the journal is read.
struct PGAuditRows: AuditRows {
    private let db: PGConnection

    init(_ db: PGConnection) { self.db = db }

    func end() throws -> AuditChain {
        let last = try db.first("SELECT position, hash FROM audit ORDER BY position DESC LIMIT 1")
        return AuditChain(
            position: try last?.integer("position") ?? 0, hash: try last?.bytes("hash") ?? Data())
    }

    func insert(_ entry: AuditEntry) throws {
        try db.run(
            """
            INSERT INTO audit (position, time, principal, operation, tenant, "user", outcome, cubes, count, reason,
                request, detail, journal_first, journal_last, digest, hash)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                entry.position, entry.time.timeIntervalSince1970, entry.principal, entry.operation,
                entry.owner?.tenant, entry.owner?.user, entry.outcome.rawValue, entry.packedCubes,
                entry.count, entry.reason, entry.request, entry.detail, entry.journalFirst,
                entry.journalLast, entry.digest, entry.hash,
            ])
    }

    func entries(after position: Int64, limit: Int) throws -> [AuditEntry] {
        try db.rows(
            "SELECT * FROM audit WHERE position > ? ORDER BY position LIMIT ?", [position, limit]
        ).map { try $0.auditEntry() }
    }

    func hash(at position: Int64) throws -> Data? {
        try db.first("SELECT hash FROM audit WHERE position = ?", [position])?.bytes(at: 0)
    }

    func end(before time: Date) throws -> Int64 {
        let next = try db.number(
            "SELECT min(position) FROM audit WHERE time >= ?", [time.timeIntervalSince1970])
        return try db.number("SELECT max(position) FROM audit WHERE position < ?", [next ?? .max]) ?? 0
    }

    func checkpoints() throws -> [AuditCheckpoint] {
        try db.rows("SELECT * FROM audit_checkpoint ORDER BY position").map { try $0.auditCheckpoint() }
    }

    func signedPosition(by key: Data) throws -> Int64 {
        try db.number("SELECT max(position) FROM audit_checkpoint WHERE key = ?", [key]) ?? 0
    }

    func save(_ checkpoint: AuditCheckpoint) throws {
        try db.run(
            """
            INSERT INTO audit_checkpoint (position, hash, time, key, signature) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (position, key) DO UPDATE
                SET hash = excluded.hash, time = excluded.time, signature = excluded.signature
            """,
            [
                checkpoint.position, checkpoint.hash, checkpoint.time.timeIntervalSince1970,
                checkpoint.key, checkpoint.signature,
            ])
    }

    // MARK: Where the log begins

    func base() throws -> AuditBase? {
        try db.first("SELECT * FROM audit_base ORDER BY position DESC LIMIT 1").map {
            try $0.auditBase()
        }
    }

    func cut(to base: AuditBase) throws {
        try db.run("DELETE FROM audit WHERE position <= ?", [base.position])
        try db.run("DELETE FROM audit_checkpoint WHERE position <= ?", [base.position])
        try db.run("DELETE FROM audit_base")
        try db.run(
            """
            INSERT INTO audit_base (position, hash, journal, written, digest, time, key, signature)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                base.position, base.hash, base.journal, base.written, base.digest, base.time, base.key,
                base.signature,
            ])
    }

    func lastJournalEntry(upTo position: Int64) throws -> Int64? {
        try db.number("SELECT max(journal_last) FROM audit WHERE position <= ?", [position])
    }

    func digestCount(upTo journal: Int64) throws -> Int {
        Int(
            try db.number(
                "SELECT count(*) FROM journal WHERE position <= ? AND digest IS NOT NULL", [journal]) ?? 0)
    }

    // MARK: The journal behind it

    func firstDigest() throws -> Int64? {
        try db.number("SELECT min(position) FROM journal WHERE digest IS NOT NULL")
    }

    func journalCounts(splitAt position: Int64) throws -> (before: Int, from: Int) {
        let counts = try db.first(
            """
            SELECT count(*) FILTER (WHERE position < ?) AS before, count(*) FILTER (WHERE position >= ?) AS rest
            FROM journal
            """, [position, position])
        return (try counts?.value("before") ?? 0, try counts?.value("rest") ?? 0)
    }

    func forEachDigest(
        from first: Int64, through last: Int64, _ body: (Int64, Data?) throws -> Void
    ) throws {
        let sql = "SELECT position, digest FROM journal WHERE position BETWEEN ? AND ? ORDER BY position"
        // Most writes have few entries: one answer holds them.
        guard last &- first > 1_000 else {
            for row in try db.rows(sql, [first, last]) {
                try body(row.value("position"), row.bytes("digest"))
            }
            return
        }
        try db.forEach(sql, [first, last]) { row in
            try body(row.value("position"), row.bytes("digest"))
            return true
        }
    }

    func forEachJournalEntry(from position: Int64, _ body: (any StoredRow) throws -> Void) throws {
        try db.forEach("SELECT * FROM journal WHERE position >= ? ORDER BY position", [position]) {
            try body($0)
            return true
        }
    }
}
