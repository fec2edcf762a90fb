import Foundation
import GRDB

/// The audit log's rows in a transaction of SQLite.
struct SQLiteAuditRows: AuditRows {
    let db: Database

    init(_ db: Database) { self.db = db }

    func end() throws -> AuditChain {
        let last = try Row.fetchOne(
            db.cachedStatement(
                sql: "SELECT position, hash FROM audit ORDER BY position DESC LIMIT 1"))
        return try AuditChain(position: last?.read(0) ?? 0, hash: last?.read(1) ?? Data())
    }

    /// Columns between position and hash.
    private static let columns =
        "time, principal, operation, tenant, user, outcome, cubes, count, reason, request, detail, journal_first, journal_last, digest"

    func insert(_ entry: AuditEntry) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO audit (position, \(Self.columns), hash)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            entry.position, entry.time.timeIntervalSince1970, entry.principal, entry.operation,
            entry.owner?.tenant, entry.owner?.user, entry.outcome.rawValue,
            entry.packedCubes, entry.count,
            entry.reason,
            entry.request, entry.detail, entry.journalFirst, entry.journalLast, entry.digest,
            entry.hash,
        ])
    }

    func entries(after position: Int64, limit: Int) throws -> [AuditEntry] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM audit WHERE position > ? ORDER BY position LIMIT ?",
            arguments: [position, limit]
        ).map { try $0.auditEntry() }
    }

    func hash(at position: Int64) throws -> Data? {
        try Data.fetchOne(
            db, sql: "SELECT hash FROM audit WHERE position = ?", arguments: [position])
    }

    func end(before time: Date) throws -> Int64 {
        let next = try Int64.fetchOne(
            db, sql: "SELECT min(position) FROM audit WHERE time >= ?",
            arguments: [time.timeIntervalSince1970])
        return try Int64.fetchOne(
            db, sql: "SELECT max(position) FROM audit WHERE position < ?", arguments: [next ?? .max]
        ) ?? 0
    }

    func checkpoints() throws -> [AuditCheckpoint] {
        try Row.fetchAll(db, sql: "SELECT * FROM audit_checkpoint ORDER BY position").map {
            try $0.auditCheckpoint()
        }
    }

    func signedPosition(by key: Data) throws -> Int64 {
        try Int64.fetchOne(
            db, sql: "SELECT max(position) FROM audit_checkpoint WHERE key = ?", arguments: [key])
            ?? 0
    }

    func save(_ checkpoint: AuditCheckpoint) throws {
        try db.execute(
            sql:
                "INSERT OR REPLACE INTO audit_checkpoint (position, hash, time, key, signature) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                checkpoint.position, checkpoint.hash, checkpoint.time.timeIntervalSince1970,
                checkpoint.key, checkpoint.signature,
            ])
    }

    // MARK: Where the log begins

    func base() throws -> AuditBase? {
        try Row.fetchOne(db, sql: "SELECT * FROM audit_base ORDER BY position DESC LIMIT 1").map {
            try $0.auditBase()
        }
    }

    func cut(to base: AuditBase) throws {
        try db.execute(sql: "DELETE FROM audit WHERE position <= ?", arguments: [base.position])
        try db.execute(
            sql: "DELETE FROM audit_checkpoint WHERE position <= ?", arguments: [base.position])
        try db.execute(sql: "DELETE FROM audit_base")
        try db.execute(
            sql:
                "INSERT INTO audit_base (position, hash, journal, written, digest, time, key, signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                base.position, base.hash, base.journal, base.written, base.digest, base.time,
                base.key, base.signature,
            ])
    }

    func lastJournalEntry(upTo position: Int64) throws -> Int64? {
        try Int64.fetchOne(
            db, sql: "SELECT max(journal_last) FROM audit WHERE position <= ?",
            arguments: [position])
    }

    func digestCount(upTo journal: Int64) throws -> Int {
        try Int.fetchOne(
            db, sql: "SELECT count(*) FROM journal WHERE position <= ? AND digest IS NOT NULL",
            arguments: [journal]
        ) ?? 0
    }

    // MARK: The journal behind it

    func firstDigest() throws -> Int64? {
        try Int64.fetchOne(db, sql: "SELECT min(position) FROM journal WHERE digest IS NOT NULL")
    }

    func journalCounts(splitAt position: Int64) throws -> (before: Int, from: Int) {
        func count(_ condition: String) throws -> Int {
            try Int.fetchOne(
                db, sql: "SELECT count(*) FROM journal WHERE position \(condition) ?",
                arguments: [position]) ?? 0
        }
        return (try count("<"), try count(">="))
    }

    func forEachDigest(
        from first: Int64, through last: Int64, _ body: (Int64, Data?) throws -> Void
    ) throws {
        let digests = try Row.fetchCursor(
            db.cachedStatement(
                sql:
                    "SELECT position, digest FROM journal WHERE position BETWEEN ? AND ? ORDER BY position"
            ),
            arguments: [first, last])
        while let row = try digests.next() { try body(row.read(0), row.read(1)) }
    }

    func forEachJournalEntry(from position: Int64, _ body: (any StoredRow) throws -> Void) throws {
        let rows = try Row.fetchCursor(
            db, sql: "SELECT * FROM journal WHERE position >= ? ORDER BY position",
            arguments: [position])
        while let row = try rows.next() { try body(row) }
    }
}

extension AuditLog.Chain {
    /// Appends an entry in a transaction of SQLite.
    mutating func append(_ entry: AuditEntry, _ db: Database) throws {
        try append(entry, SQLiteAuditRows(db))
    }
}
