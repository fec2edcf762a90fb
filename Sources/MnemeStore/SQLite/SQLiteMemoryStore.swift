public import Crypto
import Foundation
import GRDB
import MnemeBase
public import MnemeSeal
import NIOConcurrencyHelpers

/// A ``MemoryStore`` in one SQLite file, through GRDB.
///
/// Write-ahead log, foreign keys, `synchronous = FULL`: a commit is on disk before it is
/// acknowledged. Freed pages are zeroed (`secure_delete`), so that erased text does not linger.
/// Several processes may open the file.
///
/// Reads run beside each other and beside one write, each in a snapshot of its own (WAL). Every
/// write is one transaction with its audit entries; rules in `Rules/` decide what it may do, and
/// extensions of this type read and write the rows, one role a file. Errors of SQLite leave as
/// ``StoreError``: a full disk, a lock of another process or damage are told apart by its code.
public final class SQLiteMemoryStore: MemoryStore {
    /// Names the analyses that this store is handed; others are given back for re-analysis.
    public let analyzer: String
    /// The path of the file, symbolic links followed: what SQLite keeps beside it lies there, and
    /// whoever comes by another name takes the same lock.
    public let path: String
    let pool: DatabasePool
    let audit: AuditLog
    let policies = NIOLockedValueBox<[String: (policy: MemoryPolicy, read: Date)]>([:])
    /// Holds the key of an encrypted file as long as the store is open.
    let encryption: SealedVFS.Use?
    let auditQueue = DispatchQueue(label: "mneme.audit")

    /// Opens the store at `path`, or creates it with its folder; several processes may be
    /// the first. Its owner alone can read the files.
    ///
    /// - Parameters:
    ///   - path: the store's file; made if it is absent.
    ///   - analyzer: the version of the analyzer whose terms come with ``Mutation``s.
    ///   - auditKey: signs the audit log; nil leaves it unsigned, so that whoever can
    ///     write the file can write another log.
    ///   - key: opens an encrypted store; a new one is made encrypted. See
    ///     ``rewrite(_:from:to:progress:)``.
    /// - Throws: ``StoreError``, and `SealError` if the key is missing or
    ///   another one, or the store is not encrypted though there is one.
    public init(
        path: String, analyzer: String, auditKey: Curve25519.Signing.PrivateKey? = nil,
        key: EncryptionKey? = nil
    ) throws {
        audit = AuditLog(key: auditKey)
        self.analyzer = analyzer
        do { try Privacy.makeFolder(parent(of: path)) } catch let error as FileError {
            throw StoreError(error)
        }
        let path = try Self.resolved(path)
        self.path = path
        (encryption, pool) = try Self.withExclusiveAccess(to: path) {
            try Self.createIfAbsent(path, key: key)
            let encryption = try Self.encryption(path, key)
            return (encryption, try Self.openPool(path))
        }
    }

    /// Checkpoints the log and closes the file. No call may follow.
    public func close() throws {
        try flush()
        // Others may still read; what stays in the log then is read from there by whoever opens the
        // file next.
        try writeWithoutTransaction {
            _ = try Row.fetchOne($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        }
        try Self.translating(path) { try pool.close() }
    }

    /// One snapshot of the database, beside any writer; at most four at a time.
    func read<T>(_ body: (Database) throws -> T) throws -> T {
        try Self.translating(path) { try pool.read(body) }
    }
    /// The one writer of this process, for what SQLite does not do within a transaction:
    /// checkpoints, VACUUM.
    func writeWithoutTransaction<T>(_ body: (Database) throws -> T) throws -> T {
        try Self.translating(path) { try pool.writeWithoutTransaction(body) }
    }
    /// One transaction of the one writer of this process; other processes are waited for up to ten
    /// seconds.
    func write<T>(_ body: (Database) throws -> T) throws -> T {
        try Self.translating(path) { try pool.write(body) }
    }

    /// Runs `body` and turns SQLite's errors into ``StoreError``s that say what to do.
    static func translating<T>(_ path: String, _ body: () throws -> T) throws -> T {
        do { return try body() } catch let error as DatabaseError {
            switch error.resultCode {
            case .SQLITE_FULL:
                throw StoreError(
                    .diskFull,
                    "The disk of \(path) is full. Nothing of this request was written; free space and repeat it."
                )
            case .SQLITE_READONLY, .SQLITE_PERM:
                throw StoreError(
                    .readOnly,
                    "\(path) cannot be written. Check its permissions and the file system.")
            case .SQLITE_BUSY, .SQLITE_LOCKED:
                throw StoreError(
                    .busy, "Another process holds \(path). Try again, or end that process.")
            case .SQLITE_CORRUPT, .SQLITE_NOTADB:
                throw StoreError(
                    .corrupt,
                    "\(path) is damaged or not a store (\(error.message ?? "SQLite gives no reason")). Run `mneme doctor`, or restore a copy."
                )
            case .SQLITE_IOERR
            where [
                .SQLITE_IOERR_WRITE, .SQLITE_IOERR_FSYNC, .SQLITE_IOERR_TRUNCATE,
                .SQLITE_IOERR_SHMSIZE,
            ].contains(
                error.extendedResultCode):
                throw StoreError(
                    .diskFull,
                    "Writing \(path) failed (\(error.message ?? "input or output error")). Nothing of this request was written; check the disk."
                )
            default:
                throw StoreError(
                    .unavailable,
                    "\(path) failed: \(error.message ?? error.resultCode.description).")
            }
        } catch is RowDecodingError {
            throw StoreError(
                .corrupt,
                "\(path) holds a value of a wrong type. Run `mneme doctor`, or restore a copy.")
        }
    }
}
