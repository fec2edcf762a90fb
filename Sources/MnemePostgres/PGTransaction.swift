import Foundation
import MnemeStore

/// A transaction of the store's one writer.
final class PGTransaction {
    let db: PGConnection
    /// Where the audit log ended when it began.
    private let start: Int64
    /// The end of the audit log, which is the store's if the transaction is committed.
    var chain: AuditLog.Chain
    /// The last position of the journal.
    var journalEnd: Int64
    /// Owners that it has made: nobody else sees them yet.
    var made: Set<Owner> = []
    /// Owners of whose memories it has changed something, and whether it has put jobs into the queue:
    /// other servers are told when it is committed.
    var changed: Set<Int64> = [], hasJobs = false
    /// Called when it is committed.
    var whenCommitted: () -> Void = {}

    /// Waits for the writers before, and reads where the journal and the audit log end: statements
    /// see what was committed before they began, and this one begins with the lock in hand.
    ///
    /// - Parameters:
    ///   - lock: the store's writers'.
    ///   - known: the newest step of the schema that this program knows. The schema may have been
    ///     changed since the store was opened, under the same lock.
    /// - Throws: ``StoreError`` if this program is too old to write.
    init(_ db: PGConnection, lock: Int64, known: Int) throws {
        self.db = db
        try PostgresMemoryStore.showAll(db)
        try db.run("SELECT pg_advisory_xact_lock(?)", [lock])
        let state = try db.first(
            """
            SELECT (SELECT max(position) FROM journal) AS journal, last.position, last.hash,
                (SELECT max(least_known) FROM mneme_migration) AS least_known
            FROM (SELECT 1) AS one
                LEFT JOIN (SELECT position, hash FROM audit ORDER BY position DESC LIMIT 1) AS last ON true
            """)
        guard let state else { throw PGFailure.connectionLost("an answer is missing") }
        guard try state.integer("least_known") ?? 0 <= known else {
            throw StoreError(
                .newerVersion,
                "The database was changed by a newer Mneme while this one ran. Update this one; nothing was written.")
        }
        start = try state.integer("position") ?? 0
        journalEnd = try state.integer("journal") ?? 0
        chain = AuditLog.Chain(
            end: AuditChain(
                position: start, hash: try state.bytes("hash") ?? Data()))
    }

    /// True if it has put something into the audit log.
    var isAudited: Bool { chain.position > start }

    /// What other servers are told of it.
    var notices: [String] {
        changed.sorted().map(PGNotices.owner) + (hasJobs ? [PGNotices.jobs] : [])
    }

    /// Puts an entry behind the end of the audit log.
    func append(_ entry: AuditEntry) throws { try chain.append(entry, auditRows) }

    /// The rows of the audit log.
    var auditRows: PGAuditRows { PGAuditRows(db) }
}
