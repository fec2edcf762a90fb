public import Foundation
import GRDB
import MnemeBase
public import MnemeSeal

/// A copy of a whole store: one file, with the memories, their history, vectors, grants, jobs and
/// the audit log.
public struct StoreBackup: Sendable, Codable, Equatable {
    /// The file.
    public var path: String
    /// Its size.
    public var bytes: Int
    /// Memories, and users whose they are.
    public var memories, users: Int
    /// The last position of the journal: what was written later is not in it.
    public var position: Int64
    /// True if only a key opens it.
    public var isEncrypted: Bool
    /// The faults of the copy; empty if it is sound.
    public var findings: [String]
}

/// Copies of the whole store, made while it is used, and put back.
extension SQLiteMemoryStore {
    /// Writes a copy of the store as it is now to a new file, while others read and write, and
    /// reads it back. The copy is encrypted if the store is.
    ///
    /// - Parameters:
    ///   - caller: must administer the store as a whole.
    ///   - target: a file that is not there yet. It is there when it is whole and on the disk.
    ///   - key: opens the store, and will open the copy; nil if it is not encrypted.
    ///   - progress: called with pages done and in all.
    /// - Returns: what the copy holds. It has no findings: a copy that is not sound is an error.
    /// - Throws: ``StoreError`` and `SealError`.
    /// - Complexity: one pass over the file, and one to check the copy.
    public func backup(
        to target: String, key: EncryptionKey?, by caller: Caller = .local,
        progress: @escaping (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) throws -> StoreBackup {
        try requireAll(.admin, caller)
        let target = try Self.resolved(target)
        guard access(target, F_OK) != 0 else {
            throw StoreError(.conflict, "\(target) is there already. Name another file.")
        }
        guard (encryption == nil) == (key == nil) else {
            throw key == nil
                ? SealError.keyMissing(path) : SealError(.notEncrypted, "\(path) is not encrypted.")
        }
        try note("copied to \(target)", by: caller)
        let copy = "\(target).\(UUID().uuidString).new"
        defer { for suffix in Self.suffixes { unlink(copy + suffix) } }
        do { try Privacy.makeFolder(parent(of: target)) } catch let error as FileError {
            throw StoreError(error)
        }
        try Self.createIfAbsent(copy, key: key)
        let found = try Self.open(copy, key: key) { queue in
            try pool.backup(to: queue, pagesPerStep: 1024) {
                progress($0.completedPageCount, $0.totalPageCount)
            }
            return try Self.inspect(queue, as: target)
        }
        guard found.findings.isEmpty else {
            throw StoreError(
                .corrupt,
                "The copy is not sound, so none was kept: \(found.findings[0]). Look at the store with `mneme doctor`."
            )
        }
        return try Self.named(found, copy, at: target)
    }

    /// Looks through a copy: SQLite's own structure, references, the audit log and the journal.
    ///
    /// - Throws: ``StoreError`` if it is not there or no store, `SealError` for another
    ///   key. What is wrong in it is among the findings.
    public static func inspect(backup path: String, key: EncryptionKey?) throws -> StoreBackup {
        let path = try resolved(path)
        guard access(path, R_OK) == 0 else {
            throw StoreError(.unavailable, "There is no file \(path), or it may not be read.")
        }
        var found = try open(path, key: key) { try inspect($0, as: path) }
        found.bytes = size(of: path)
        return found
    }

    /// Writes a backup anew beside a store, and checks it. Nothing else changes.
    ///
    /// - Returns: what it holds; its path is that of the new file, for
    ///   ``install(_:at:key:)``.
    /// - Throws: as ``inspect(backup:key:)``, and ``StoreError`` for a backup with findings.
    public static func stage(_ backup: String, for path: String, key: EncryptionKey?) throws
        -> StoreBackup
    {
        let backup = try resolved(backup)
        let path = try resolved(path)
        guard access(backup, R_OK) == 0 else {
            throw StoreError(.unavailable, "There is no file \(backup), or it may not be read.")
        }
        do {
            try Privacy.makeFolder(parent(of: path))
            let copy = "\(path).\(UUID().uuidString).staged"
            let source = try DatabaseFile(backup)
            let out = try AtomicFile(copy, durability: .disk)
            for start in stride(from: 0, to: try source.size, by: 1 << 20) {
                try out.write(source.read(start, min(1 << 20, try source.size - start)))
            }
            try out.finish()
            do {
                let found = try inspect(backup: copy, key: key)
                guard found.findings.isEmpty else {
                    throw StoreError(
                        .corrupt,
                        "\(backup) is not sound: \(found.findings[0]). Take an older one.")
                }
                return found
            } catch {
                discard(staged: copy)
                throw error
            }
        } catch let error as FileError { throw StoreError(error) }
    }

    /// Removes a staged store that is not to be used.
    public static func discard(staged path: String) {
        for suffix in suffixes { unlink(path + suffix) }
    }

    /// Puts a staged store in the place of one that nobody has open. The former stays under another
    /// name; indexes beside it are removed, as they are made again.
    ///
    /// - Parameters:
    ///   - staged: the path of the staged store, which is moved.
    ///   - path: the path of the store whose place it takes; none need be there.
    ///   - key: opens the former store.
    /// - Returns: where the former store is now; nil if there was none.
    /// - Throws: ``StoreError`` if another program uses the store; all is as before then.
    public static func install(_ staged: String, at path: String, key: EncryptionKey?) throws
        -> String?
    {
        let path = try resolved(path)
        return try withExclusiveAccess(to: path) {
            let former = "\(path).before-\(stamp())"
            func place() throws {
                guard access(path, F_OK) == 0 else {
                    _ = try AtomicFile.place(staged, at: path, .replacing)
                    return
                }
                // Both names at once, so that there is a store at any moment.
                guard Foundation.link(path, former) == 0 else { throw FileError(former) }
                _ = try AtomicFile.place(staged, at: path, .replacing)
            }
            do {
                let isThere = access(path, F_OK) == 0
                if isThere {
                    do { try holdingAlone(path, key: key) { _, _ in try place() } } catch let error as StoreError
                        where error.code == .corrupt
                    {
                        // Damage is what backups are for: nothing of it can be locked.
                        try place()
                    }
                } else {
                    try place()
                }
                for suffix in suffixes.dropFirst() { unlink(path + suffix) }
                try? FileManager.default.removeItem(atPath: path + ".index")
                return isThere ? former : nil
            } catch let error as FileError { throw StoreError(error) }
        }
    }

    /// Memories that were erased, with their owners, the oldest erasure first.
    public func erasures(by caller: Caller = .local) throws -> [(owner: Owner, id: CubeID)] {
        try requireAll(.admin, caller)
        return try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT owner.tenant, owner.user, journal.cube FROM journal JOIN owner ON owner.id = journal.owner
                    WHERE journal.operation = 'erase' GROUP BY journal.cube ORDER BY min(journal.position)
                    """
            ).map {
                (
                    Owner(tenant: try $0.read(0), user: try $0.read(1)),
                    try CubeID(stored: $0.read(2))
                )
            }
        }
    }

    /// As ``StoreMaintenance`` has it.
    public func note(_ what: String, by caller: Caller = .local) throws {
        try audited { db, chain in
            var entry = AuditEntry(caller, nil, default: "backup")
            entry.detail = what
            try chain.append(entry, db)
        }
    }

    // MARK: Parts

    /// Opens a copy that nobody else has open, and leaves one file behind.
    private static func open<T>(
        _ path: String, key: EncryptionKey?, _ body: (DatabaseQueue) throws -> T
    ) throws -> T {
        let use = try encryption(path, key)
        defer { withExtendedLifetime(use) {} }
        return try translating(path) {
            let queue = try DatabaseQueue(path: path)
            defer { try? queue.close() }
            let result = try body(queue)
            try queue.writeWithoutTransaction {
                _ = try Row.fetchOne($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
            return result
        }
    }

    /// Gives a copy its name, unless something has it, and says how large it is.
    private static func named(_ found: StoreBackup, _ copy: String, at target: String) throws
        -> StoreBackup
    {
        var found = found
        found.bytes = size(of: copy)
        do {
            guard try AtomicFile.place(copy, at: target, .ifAbsent) else {
                throw StoreError(.conflict, "\(target) is there already. Name another file.")
            }
        } catch let error as FileError { throw StoreError(error) }
        return found
    }

    private static func inspect(_ queue: DatabaseQueue, as path: String) throws -> StoreBackup {
        try queue.read { db in
            guard try Int32.fetchOne(db, sql: "PRAGMA application_id") == Schema.applicationID else {
                throw StoreError(.corrupt, "\(path) is no store of Mneme.")
            }
            guard try !Schema.migrator.hasBeenSuperseded(db) else {
                throw StoreError(
                    .newerVersion, "\(path) was written by a newer Mneme. Update this one.")
            }
            var findings = try String.fetchAll(db, sql: "PRAGMA integrity_check(20)").filter {
                $0 != "ok"
            }
            let dangling = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").count
            if dangling > 0 { findings.append("\(dangling) references lead nowhere") }
            findings += try AuditLog.verify(keys: nil, head: nil, SQLiteAuditRows(db)).findings
            func count(_ sql: String) throws -> Int64 { try Int64.fetchOne(db, sql: sql) ?? 0 }
            return StoreBackup(
                path: path, bytes: 0, memories: Int(try count("SELECT count(*) FROM cube")),
                users: Int(try count("SELECT count(*) FROM owner")),
                position: try count("SELECT max(position) FROM journal"),
                isEncrypted: isEncrypted(path) || isEncrypted(queue.path), findings: findings)
        }
    }

    private static func size(of path: String) -> Int {
        var information = stat()
        return stat(path, &information) == 0 ? Int(information.st_size) : 0
    }

    /// The present time as a part of a file's name, to the second, in UTC.
    public static func stamp(_ time: Date = Date()) -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        return format.string(from: time)
    }
}
