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
    /// Cubes that wait for a vector since.
    var awaiting: [CubeID] = []
    /// Called when it is committed.
    var whenCommitted: () -> Void = {}
    /// The rows of each statement that was sent along with the lock.
    let ahead: [[PGRow]]
    /// The owner whose rows alone are in sight since the statements that were sent along; nil if there is
    /// none.
    var shown: Int64?
    /// Cubes by their content, as far as they were looked up ahead and nothing has changed since.
    var contents = PGContents()

    /// Asks where the journal and the audit log end.
    private static let state = """
        SELECT (SELECT max(position) FROM journal) AS journal, last.position, last.hash,
            (SELECT max(least_known) FROM mneme_migration) AS least_known
        FROM (SELECT 1) AS one
            LEFT JOIN (SELECT position, hash FROM audit ORDER BY position DESC LIMIT 1) AS last ON true
        """

    /// Waits for the writers before, and reads where the journal and the audit log end: statements
    /// see what was committed before they began, and this one begins with the lock in hand.
    ///
    /// - Parameters:
    ///   - lock: the store's writers'.
    ///   - known: the newest step of the schema that this program knows. The schema may have been
    ///     changed since the store was opened, under the same lock.
    ///   - ahead: statements that are sent behind those, so that nobody waits for their answers alone.
    /// - Throws: ``StoreError`` if this program is too old to write.
    init(
        _ db: PGConnection, lock: Int64, known: Int, ahead: [(sql: String, arguments: PGArguments)] = []
    ) throws {
        self.db = db
        try db.run("SELECT set_config('mneme.owner', '*', true), pg_advisory_xact_lock(?)", [lock])
        let answers = try db.each([(Self.state, [])] + ahead)
        self.ahead = Array(answers.dropFirst())
        guard let state = answers[0].first else { throw PGFailure.connectionLost("an answer is missing") }
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
