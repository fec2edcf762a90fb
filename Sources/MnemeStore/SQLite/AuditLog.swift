import Crypto
import Foundation
import GRDB
import NIOConcurrencyHelpers

/// The audit log in SQLite: entries wait in memory for the next transaction, at most a second, and
/// are chained in it.
///
/// Writes and what they change are one transaction. Reads are told after they were answered: a
/// crash can lose the last second of them.
final class AuditLog: Sendable {
    /// Entries that wait at most. If they cannot be written, reading ends: what is not written down
    /// is not handed out.
    private static let limit = 100_000
    /// Entries that are written at once, sooner than a second.
    private static let batch = 2_000
    /// New entries from which the log is signed.
    private static let signedEvery: Int64 = 256
    /// Entries that are read at once.
    private static let page = 4_096

    /// Entries that no transaction has taken yet, the oldest first.
    private let waiting = NIOLockedValueBox<[AuditEntry]>([])
    /// Signs the log; nil leaves it unsigned.
    private let key: Curve25519.Signing.PrivateKey?

    init(key: Curve25519.Signing.PrivateKey?) { self.key = key }

    /// Adds an entry that is written soon.
    ///
    /// - Returns: in how many seconds to write, if somebody must be told.
    func note(_ entry: AuditEntry) throws -> Int? {
        try waiting.withLockedValue { waiting in
            guard waiting.count < Self.limit else {
                throw StoreError(
                    .diskFull,
                    "The audit log cannot be written, so nothing is read. Free space on the disk, or end what holds the store."
                )
            }
            waiting.append(entry)
            return waiting.count == 1 ? 1 : waiting.count.isMultiple(of: Self.batch) ? 0 : nil
        }
    }

    /// The end of the chain in one transaction.
    struct Chain {
        /// The last entry on disk, or of this transaction.
        private var end: AuditChain
        var position: Int64 { end.position }
        var hash: Data { end.hash }

        /// Reads the end; another process may have written since the last transaction.
        init(_ db: Database) throws {
            let last = try Row.fetchOne(
                db.cachedStatement(
                    sql: "SELECT position, hash FROM audit ORDER BY position DESC LIMIT 1"))
            end = try AuditChain(position: last?.read(0) ?? 0, hash: last?.read(1) ?? Data())
        }

        /// Appends an entry.
        mutating func append(_ entry: AuditEntry, _ db: Database) throws {
            var next = end
            let entry = try next.append(entry)
            try db.cachedStatement(
                sql: """
                    INSERT INTO audit (position, \(AuditLog.columns), hash)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: [
                entry.position, entry.time.timeIntervalSince1970, entry.principal, entry.operation,
                entry.owner?.tenant, entry.owner?.user, entry.outcome.rawValue,
                entry.cubes.isEmpty ? nil : PackedIDs.data(of: entry.cubes), entry.count,
                entry.reason,
                entry.request, entry.detail, entry.journalFirst, entry.journalLast, entry.digest,
                entry.hash,
            ])
            end = next
        }
    }

    /// Writes what waits. Call ``dropWritten(_:)`` when the transaction has ended.
    func writeWaiting(_ chain: inout Chain, _ db: Database) throws -> Int {
        let entries = waiting.withLockedValue { $0 }
        for entry in entries { try chain.append(entry, db) }
        return entries.count
    }

    /// Forgets entries that are on disk.
    func dropWritten(_ count: Int) { waiting.withLockedValue { $0.removeFirst(min(count, $0.count)) } }

    /// Columns between position and hash, in the order in which ``entries(after:limit:_:)`` reads
    /// them.
    private static let columns =
        "time, principal, operation, tenant, user, outcome, cubes, count, reason, request, detail, journal_first, journal_last, digest"

    /// Signs the log if much is new; `always`, if anything is.
    func sign(_ chain: Chain, always: Bool, _ db: Database) throws {
        let position = chain.position
        let hash = chain.hash
        guard let key, position > 0 else { return }
        let signed =
            try Int64.fetchOne(
                db, sql: "SELECT max(position) FROM audit_checkpoint WHERE key = ?",
                arguments: [key.publicKey.rawRepresentation]) ?? 0
        guard position &- signed >= (always ? 1 : Self.signedEvery) else { return }
        let time = Date()
        let signature = try key.signature(
            for: AuditCheckpoint.message(position: position, hash: hash, time: time))
        try db.execute(
            sql:
                "INSERT OR REPLACE INTO audit_checkpoint (position, hash, time, key, signature) VALUES (?, ?, ?, ?, ?)",
            arguments: [
                position, hash, time.timeIntervalSince1970, key.publicKey.rawRepresentation,
                signature,
            ])
    }

    /// A page of the log, the oldest first. An outcome of another version counts as a failure.
    static func entries(after position: Int64, limit: Int, _ db: Database) throws -> [AuditEntry] {
        try Row.fetchAll(
            db,
            sql:
                "SELECT position, \(columns), hash FROM audit WHERE position > ? ORDER BY position LIMIT ?",
            arguments: [position, limit]
        ).map { row in
            var entry = AuditEntry(
                position: try row.read(0), time: try row.time(1), principal: try row.read(2),
                operation: try row.read(3),
                owner: try (row.read(4) as String?).map {
                    Owner(tenant: $0, user: try row.read(5) ?? "")
                },
                outcome: AuditEntry.Outcome(rawValue: try row.read(6)) ?? .failed)
            entry.cubes = PackedIDs.ids(in: try row.read(7) ?? Data())
            entry.count = try row.read(8)
            entry.reason = try row.read(9)
            entry.request = try row.read(10)
            entry.detail = try row.read(11)
            entry.journalFirst = try row.read(12)
            entry.journalLast = try row.read(13)
            entry.digest = try row.read(14)
            entry.hash = try row.read(15)
            return entry
        }
    }

    /// All signatures of the log, the oldest first.
    static func checkpoints(_ db: Database) throws -> [AuditCheckpoint] {
        try Row.fetchAll(
            db,
            sql:
                "SELECT position, hash, time, key, signature FROM audit_checkpoint ORDER BY position"
        )
        .map {
            AuditCheckpoint(
                position: try $0.read(0), hash: try $0.read(1), time: try $0.time(2),
                key: try $0.read(3),
                signature: try $0.read(4))
        }
    }

    // MARK: Where the log begins

    /// Stands for the entries before it.
    private struct Base {
        /// The last entry that is gone, and its hash.
        var position: Int64, hash: Data
        /// The last journal entry that such a one had written, how many had been written, and the
        /// digest of them all.
        var journal: Int64, written: Int, digest: Data
        var time: Double, key = Data(), signature = Data()

        /// The bytes that are signed: every field, so that none can be exchanged.
        var message: Data {
            Data("mneme audit base \(position) \(journal) \(written) \(time.bitPattern) ".utf8)
                + hash + digest
        }
        /// True if the signature is of these fields, by the key that is named.
        var isValid: Bool {
            (try? Curve25519.Signing.PublicKey(rawRepresentation: key))?.isValidSignature(
                signature, for: message)
                ?? false
        }

        /// The beginning of a log that was shortened; nil for a whole one.
        static func current(_ db: Database) throws -> Base? {
            try Row.fetchOne(db, sql: "SELECT * FROM audit_base ORDER BY position DESC LIMIT 1").map {
                Base(
                    position: try $0.read("position"), hash: try $0.read("hash"),
                    journal: try $0.read("journal"),
                    written: try $0.read("written"),
                    digest: try $0.read("digest"), time: try $0.read("time"),
                    key: try $0.read("key"), signature: try $0.read("signature"))
            }
        }
    }

    /// The last of the entries before a time, none of which is younger; 0 if there is none.
    static func end(before time: Date, _ db: Database) throws -> Int64 {
        // Clocks go back: all before the first entry that is young enough, not each that is old.
        let next = try Int64.fetchOne(
            db, sql: "SELECT min(position) FROM audit WHERE time >= ?",
            arguments: [time.timeIntervalSince1970])
        return try Int64.fetchOne(
            db, sql: "SELECT max(position) FROM audit WHERE position < ?", arguments: [next ?? .max]
        ) ?? 0
    }

    /// Takes all entries up to a position away, and signs what stands in their place.
    func cut(upTo position: Int64, _ db: Database) throws {
        guard let key else {
            throw StoreError(
                .unavailable,
                "The audit log can be shortened only by who signs it; there is no key.")
        }
        guard
            let hash = try Data.fetchOne(
                db, sql: "SELECT hash FROM audit WHERE position = ?", arguments: [position])
        else {
            throw StoreError(.conflict, "There is no audit entry \(position) any more.")
        }
        let last = try Int64.fetchOne(
            db, sql: "SELECT max(journal_last) FROM audit WHERE position <= ?",
            arguments: [position])
        let journal = try last ?? Base.current(db)?.journal ?? 0
        let (digest, _) = try Self.digest(0, journal, db)
        let written =
            try Int.fetchOne(
                db, sql: "SELECT count(*) FROM journal WHERE position <= ? AND digest IS NOT NULL",
                arguments: [journal]
            ) ?? 0
        var base = Base(
            position: position, hash: hash, journal: journal, written: written, digest: digest,
            time: Date().timeIntervalSince1970)
        base.key = key.publicKey.rawRepresentation
        base.signature = try key.signature(for: base.message)
        try db.execute(sql: "DELETE FROM audit WHERE position <= ?", arguments: [position])
        try db.execute(
            sql: "DELETE FROM audit_checkpoint WHERE position <= ?", arguments: [position])
        try db.execute(sql: "DELETE FROM audit_base")
        try db.execute(
            sql:
                "INSERT INTO audit_base (position, hash, journal, written, digest, time, key, signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                base.position, base.hash, base.journal, base.written, base.digest, base.time,
                base.key, base.signature,
            ])
    }

    /// Walks the chain, the signatures and the journal behind it.
    ///
    /// - Parameters:
    ///   - keys: public keys that are trusted; nil trusts any.
    ///   - head: an end that was noted earlier.
    /// - Returns: findings, of which the first hundred are told; none if the log is whole.
    /// - Throws: ``StoreError`` or `RowDecodingError` for values that no log holds. Bad sums, gaps
    ///   and signatures are findings, not errors.
    /// - Complexity: one pass over the log in pages, one over the journal.
    static func verify(keys: [Data]?, head: (position: Int64, hash: Data)?, _ db: Database) throws
        -> AuditReport
    {
        var report = AuditReport(
            entries: 0, position: 0, head: Data(), checkpoints: 0, unsigned: 0, unaudited: 0,
            findings: [])
        var findings: [String] = []
        /// A log that is wrong throughout is told by its first hundred findings.
        func find(_ text: String) { if findings.count < 100 { findings.append(text) } }
        let checkpoints = try checkpoints(db)
        let places = Dictionary(grouping: checkpoints, by: \.position)
        // Positions come from a file that somebody may have changed: sums of them wrap and never
        // trap.
        var seen: Set<Int64> = []
        var signedTo: Int64 = 0
        var written = 0
        var noted = head == nil
        if let base = try Base.current(db) {
            if !base.isValid {
                find("where the log begins is not signed: its first entries were taken away")
            } else if let keys, !keys.contains(base.key) {
                find("where the log begins is signed by a key that is not trusted")
            }
            if try digest(0, base.journal, db).digest != base.digest {
                find(
                    "journal entries up to \(base.journal) are not those of before the log was shortened"
                )
            }
            (report.position, report.head, report.begin, signedTo, written) = (
                base.position, base.hash, base.position &+ 1, base.position, base.written
            )
            if let head, head.position == base.position, head.hash == base.hash { noted = true }
            if let head, head.position < base.position {
                find("the noted end lies in the part that was taken away; its archive has it")
            }
        }
        while true {
            let entries = try entries(after: report.position, limit: page, db)
            for entry in entries {
                // The chain: places without gaps, each hash made of the one before.
                if entry.position != report.position &+ 1 {
                    find("entries \(report.position &+ 1) to \(entry.position &- 1) are missing")
                }
                if entry.hash != entry.chained(to: report.head) {
                    find("entry \(entry.position) was changed, or one before it taken away")
                }
                for checkpoint in places[entry.position] ?? [] {
                    seen.insert(checkpoint.position)
                    if checkpoint.hash != entry.hash || !checkpoint.isValid {
                        find("the signature at entry \(entry.position) is not of this log")
                    } else if let keys, !keys.contains(checkpoint.key) {
                        find(
                            "the signature at entry \(entry.position) is of a key that is not trusted"
                        )
                    } else {
                        signedTo = entry.position
                    }
                }
                // The journal: what the entry says that it wrote is there, and unchanged.
                if let first = entry.journalFirst, let last = entry.journalLast {
                    let (digest, count) = try digest(first, last, db)
                    if digest != entry.digest {
                        find(
                            "journal entries \(first) to \(last) are not those of audit entry \(entry.position)"
                        )
                    }
                    written &+= count
                }
                if let head, entry.position == head.position, entry.hash == head.hash {
                    noted = true
                }
                (report.position, report.head) = (entry.position, entry.hash)
                report.entries += 1
            }
            if entries.count < page { break }
        }
        report.checkpoints = checkpoints.count
        for checkpoint in checkpoints where !seen.contains(checkpoint.position) {
            find("the log was signed up to entry \(checkpoint.position), which is gone")
        }
        if !noted, head!.position >= report.begin {
            find("the log does not hold the noted end: entry \(head!.position) is gone or another")
        }
        report.unsigned = Int(report.position &- signedTo)
        report.unaudited = try verifyJournal(db, written: written, find)
        report.findings = findings
        return report
    }

    /// Each journal entry says what it was written with, and belongs to a write that the log knows.
    ///
    /// - Returns: entries from before there was a log.
    private static func verifyJournal(_ db: Database, written: Int, _ find: (String) -> Void) throws
        -> Int
    {
        // Entries of before migration 4 carry no digest; nothing can be said of them.
        let start =
            try Int64.fetchOne(
                db, sql: "SELECT min(position) FROM journal WHERE digest IS NOT NULL") ?? .max
        let rows = try Row.fetchCursor(
            db, sql: "SELECT * FROM journal WHERE position >= ? ORDER BY position",
            arguments: [start])
        while let row = try rows.next() {
            let position: Int64 = try row.read("position")
            guard let digest = try row.read("digest") as Data? else {
                find("journal entry \(position) carries no digest")
                continue
            }
            // What is erased cannot be compared any more: its salt is gone with it.
            guard let payload = try row.read("payload") as String?,
                let salt = try row.read("salt") as Data?
            else {
                continue
            }
            let expected = JournalDigest.digest(
                salt: salt, time: try row.read("time"), operation: try row.read("operation"),
                cube: try row.read("cube"), version: try row.read("version"),
                principal: try row.read("principal"),
                reason: try row.read("reason"), payload: payload)
            if expected != digest { find("journal entry \(position) was changed") }
        }
        let all = try Int.fetchOne(
            db, sql: "SELECT count(*) FROM journal WHERE position >= ?", arguments: [start])
        if all ?? 0 > written {
            find("\((all ?? 0) &- written) journal entries belong to no write of the log")
        }
        return try Int.fetchOne(
            db, sql: "SELECT count(*) FROM journal WHERE position < ?", arguments: [start]) ?? 0
    }

    /// The digest of all journal entries of one write.
    static func digest(_ first: Int64, _ last: Int64, _ db: Database) throws -> (
        digest: Data, count: Int
    ) {
        var hash = SHA256()
        var count = 0
        let digests = try Row.fetchCursor(
            db.cachedStatement(
                sql:
                    "SELECT position, digest FROM journal WHERE position BETWEEN ? AND ? ORDER BY position"
            ),
            arguments: [first, last])
        while let row = try digests.next() {
            JournalDigest.add(try row.read(0), try row.read(1) ?? Data(), to: &hash)
            count += 1
        }
        return (Data(hash.finalize()), count)
    }
}
