public import Crypto
import Foundation
public import MnemeStore
import NIOConcurrencyHelpers

/// A `MemoryStore` in a PostgreSQL database, through libpq: for memories that several servers
/// serve, and that outgrow one machine.
///
/// What a commit may do is decided by the same `CommitPlanner` as in SQLite; this type reads and
/// writes rows, one role a file.
///
/// - Writes are one transaction each, and one at a time for all servers of a store: an advisory lock
///   of the transaction. So positions of the journal and the audit log follow each other without
///   gaps, in the order in which they become visible: a sequence's numbers would have gaps where a
///   transaction was taken back, and become visible in another order than they were given (PostgreSQL
///   documentation, 9.17 "Sequence Manipulation Functions"; 13.3.5 "Advisory Locks"). Requests that
///   come together are one transaction, so that a wait for the disk serves all of them.
/// - Reads take one snapshot each (`REPEATABLE READ READ ONLY`, 13.2.2), beside any writer.
/// - Row-level security confines each transaction to the rows of one owner, beside the store's own
///   conditions: what a statement forgets, the database does not answer (5.9 "Row Security
///   Policies"). It does not bind superusers: `mneme doctor` says so.
/// - A connection that is lost is made anew. What was not committed is repeated; where the answer to
///   `COMMIT` is lost, the audit log says whether the transaction is there: its last entry's place and
///   hash, under the writers' lock, which a transaction holds until it has ended. (A transaction's
///   number would not do: after a crash another can have the same.)
///
/// Calls block; callers stay off the cooperative pool. Any number of processes may open the store.
public final class PostgresMemoryStore: MemoryStore {
    /// Names the analyses that this store is handed; others are given back for re-analysis.
    public let analyzer: String
    /// Where the database is, without the password.
    public var name: String { pool.settings.name }
    let pool: PGPool
    let audit: AuditLog
    let policies = NIOLockedValueBox<[String: (policy: MemoryPolicy, read: Date)]>([:])
    let auditQueue = DispatchQueue(label: "mneme.audit")
    /// The advisory lock of this store's writers.
    let lock: Int64
    /// The newest step of the schema that this program knows.
    let known: Int
    /// How the database compares vectors; nil if it cannot.
    let halves: PGHalves?
    /// What servers of this store tell each other, and by which name this one knows its own words.
    let notices: PGNotices
    /// The connection that hears what others commit; nil until somebody follows.
    let listener = NIOLockedValueBox<PGListener?>(nil)
    /// Rows of owners, which stay as they are once they are committed, unless the database goes back.
    let ownerIDs = NIOLockedValueBox<[Owner: Int64]>([:])
    /// Owners of whose memories something had changed when their index was brought up to date last.
    let changing = NIOLockedValueBox<Set<Owner>>([])
    /// What this process has written and not seen a vector of: it makes those itself.
    let awaiting = NIOLockedValueBox<Set<CubeID>>([])

    /// Opens the store, and makes its schema and tables, or brings them up to date; several
    /// processes may be the first.
    ///
    /// - Parameters:
    ///   - settings: where the database is. The role must be allowed to create a schema there, or
    ///     own the one that is named.
    ///   - analyzer: the version of the analyzer whose terms come with `Mutation`s.
    ///   - auditKey: signs the audit log; nil leaves it unsigned. Servers may sign with keys of their
    ///     own.
    /// - Throws: `StoreError`.
    public convenience init(
        _ settings: PostgresSettings, analyzer: String,
        auditKey: Curve25519.Signing.PrivateKey? = nil
    ) throws {
        try self.init(
            settings, analyzer: analyzer, auditKey: auditKey, migrations: Self.migrations)
    }

    /// The steps of the schema that this program knows.
    package static let migrations = PostgresSchema.migrations

    /// As a program that knows other steps of the schema.
    package init(
        _ settings: PostgresSettings, analyzer: String, auditKey: Curve25519.Signing.PrivateKey?,
        migrations: [PostgresMigration]
    ) throws {
        audit = AuditLog(key: auditKey)
        self.analyzer = analyzer
        pool = PGPool(settings)
        let migrator = PostgresMigrator(settings: settings, migrations: migrations)
        known = migrator.known
        lock = try migrator.prepare(pool)
        halves = try migrator.prepareHalves(pool, lock: lock)
        notices = PGNotices(lock: lock)
    }

    /// Writes what waits for the audit log, and closes the connections. No call may follow.
    public func close() throws {
        defer { pool.close() }
        unfollow()
        try flush()
    }

    // MARK: Transactions

    /// One snapshot of the database, beside any writer, with no rows in sight until a scope is set.
    ///
    /// - Parameter isRepeatable: false if `body` hands out rows as it goes, so that it must not run
    ///   twice.
    func read<T>(isRepeatable: Bool = true, _ body: (PGConnection) throws -> T) throws -> T {
        try repeating(isRepeatable) {
            try pool.lend { db in
                try db.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                do {
                    try db.run(Self.scope, ["0"])
                    let result = try body(db)
                    try db.run("COMMIT")
                    try db.sync()
                    return result
                } catch {
                    Self.rollBack(db)
                    throw error
                }
            }
        }
    }

    /// As ``read(isRepeatable:_:)``, with the rows of all owners in sight.
    func readAll<T>(_ body: (PGConnection) throws -> T) throws -> T {
        try read { db in
            try Self.showAll(db)
            return try body(db)
        }
    }

    /// A transaction that takes what waits for the audit log with it. Its writes are the only ones
    /// of the store until it ends.
    ///
    /// - Parameter ahead: the statements to send along with the lock, made anew for each attempt.
    func audited<T>(
        ahead: () throws -> [(sql: String, arguments: PGArguments)] = { [] },
        _ body: (PGTransaction) throws -> T
    ) throws -> T {
        try write(ahead: ahead) { transaction in
            let written = try audit.writeWaiting(&transaction.chain, transaction.auditRows)
            let result = try body(transaction)
            try audit.sign(transaction.chain, always: false, transaction.auditRows)
            transaction.whenCommitted = { [audit] in audit.dropWritten(written) }
            return result
        }
    }

    /// A transaction of the store's one writer.
    ///
    /// - Parameters:
    ///   - isRepeatable: false if `body` takes its rows from somewhere that hands them out once.
    ///   - ahead: as ``audited(ahead:_:)`` has it.
    func write<T>(
        isRepeatable: Bool = true, ahead: () throws -> [(sql: String, arguments: PGArguments)] = { [] },
        _ body: (PGTransaction) throws -> T
    ) throws -> T {
        try repeating(isRepeatable) {
            let statements = try ahead()
            let attempt = try pool.lend { db -> Attempt<T> in
                try db.run("BEGIN ISOLATION LEVEL READ COMMITTED")
                let transaction: PGTransaction
                let result: T
                do {
                    transaction = try PGTransaction(db, lock: lock, known: known, ahead: statements)
                    result = try body(transaction)
                    try notices.send(transaction.notices, db)
                } catch {
                    Self.rollBack(db)
                    throw error
                }
                do {
                    try db.run("COMMIT")
                    try db.sync()
                } catch let failure as PGFailure {
                    // A statement that failed before keeps the commit from being done: what was sent
                    // behind it is passed over.
                    Self.rollBack(db)
                    return Attempt(transaction: transaction, result: result, failure: failure)
                }
                return Attempt(transaction: transaction, result: result)
            }
            if let failure = attempt.failure { try settle(attempt.transaction, failure) }
            attempt.transaction.whenCommitted()
            remember(awaiting: attempt.transaction.awaiting)
            return attempt.result
        }
    }

    /// A transaction that was sent to be committed.
    private struct Attempt<T> {
        var transaction: PGTransaction
        var result: T
        /// What came instead of an answer.
        var failure: PGFailure?
    }

    /// Finds out what became of a transaction whose commit was not answered.
    ///
    /// One that has written nothing into the audit log can be repeated in any case.
    ///
    /// - Throws: ``PGFailure`` if it is to be repeated; ``StoreError`` if nobody knows. Nothing if it
    ///   was committed.
    private func settle(_ transaction: PGTransaction, _ failure: PGFailure) throws {
        switch failure {
        case .conflict, .refused, .readOnly, .stale: throw failure
        case .connectionLost, .silent: break
        }
        let again = PGFailure.connectionLost("the connection was lost")
        guard transaction.isAudited else { throw again }
        let end = ContinuousClock.now + .seconds(pool.settings.connectTimeout)
        repeat {
            switch Result(catching: { try isCommitted(transaction) }) {
            case .success(true): return
            case .success(false): throw again
            case .failure: Thread.sleep(forTimeInterval: 0.1)
            }
        } while ContinuousClock.now < end
        throw StoreError(
            .unavailable,
            "The connection to \(name) was lost while a change was written, and whether it was is not known. "
                + "Look, or repeat the request with the same idempotency key.")
    }

    /// Looks for the last entry that a transaction has put into the audit log, once nobody writes.
    ///
    /// What a primary has after a crash need not be on its standbys yet, though each commit waits for
    /// them: the wait ended with the crash. So this commits something, too, which comes behind it.
    private func isCommitted(_ transaction: PGTransaction) throws -> Bool {
        try pool.lend { db in
            do {
                try db.run("BEGIN")
                try db.run("SELECT pg_advisory_xact_lock(?)", [lock])
                let hash = try PGAuditRows(db).hash(at: transaction.chain.position)
                guard hash == transaction.chain.hash else {
                    Self.rollBack(db)
                    return false
                }
                try db.run("UPDATE counter SET value = value WHERE name = 'vector'")
                try db.run("COMMIT")
                try db.sync()
                return true
            } catch {
                Self.rollBack(db)
                throw error
            }
        }
    }

    static func rollBack(_ db: PGConnection) {
        // What is left in the pipeline may have failed, too. A connection that stays in a
        // transaction is not used again.
        try? db.sync()
        try? db.run("ROLLBACK")
        try? db.sync()
    }

    /// Runs `body`, again where the database took it back or the connection was lost; turns the
    /// failures of the database into ``StoreError``s that say what to do.
    func repeating<T>(_ isRepeatable: Bool, _ body: () throws -> T) throws -> T {
        let end = ContinuousClock.now + .seconds(pool.settings.connectTimeout)
        var pause = 0.02
        while true {
            do { return try body() } catch let failure as PGFailure {
                ownerIDs.withLockedValue { $0 = [:] }
                guard isRepeatable, failure.isPassing, .now + .seconds(pause) < end else {
                    throw failure.error(name)
                }
                // Those that were in each other's way do not come back at the same moment.
                Thread.sleep(forTimeInterval: pause * .random(in: 0.5...1))
                pause = min(pause * 2, 1)
            }
        }
    }

    // MARK: Whose rows are in sight

    static let scope = "SELECT set_config('mneme.owner', ?, true)"

    /// Shows the rows of all owners to what follows in the transaction.
    static func showAll(_ db: PGConnection) throws { try db.run(scope, ["*"]) }

    /// Shows the rows of one owner, and no others; none of nobody.
    static func show(_ ownerID: Int64?, _ db: PGConnection) throws {
        try db.run(scope, [String(ownerID ?? 0)])
    }

    /// Shows the rows of an owner whose row was read in an earlier transaction, if it is still the
    /// owner's. It need not be: a standby that takes over without the last commits gives the same
    /// number to somebody else. The division by zero then ends the transaction, which is repeated with
    /// the row read anew (``PGFailure/conflict``); no other statement of the store divides.
    static func scope(of owner: Owner, _ id: Int64) -> (sql: String, arguments: PGArguments) {
        (
            """
            SELECT set_config('mneme.owner', (SELECT ?::bigint / count(*) FROM owner
                WHERE id = ? AND tenant = ? AND "user" = ?)::text, true)
            """, [id, id, owner.tenant, owner.user]
        )
    }

    /// The row of an owner, whose rows are in sight from now on; nil for one that has no place yet.
    func ownerID(_ owner: Owner, _ db: PGConnection, isCommitted: Bool = true) throws -> Int64? {
        try TextRules.requireStorable(owner.texts)
        if let id = ownerIDs.withLockedValue({ $0[owner] }) {
            let scope = Self.scope(of: owner, id)
            try db.run(scope.sql, scope.arguments)
            return id
        }
        let id = try db.number(
            "SELECT id FROM owner WHERE tenant = ? AND \"user\" = ?", [owner.tenant, owner.user])
        if let id, isCommitted {
            ownerIDs.withLockedValue { ids in
                if ids.count > 10_000 { ids = [:] }
                ids[owner] = id
            }
        }
        try Self.show(id, db)
        return id
    }
}
