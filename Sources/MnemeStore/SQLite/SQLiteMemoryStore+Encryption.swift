import Crypto
import Foundation
import GRDB
import GRDBSQLite
import MnemeBase
public import MnemeSeal

/// A store's file encrypted, decrypted, or encrypted again.
extension SQLiteMemoryStore {
    /// Tells whether the file at `path` is an encrypted store.
    public static func isEncrypted(_ path: String) -> Bool {
        (try? firstPage(of: path)).map(WrappedKey.isStart) ?? false
    }

    /// A key for what is made of the store's memories and kept elsewhere; nil if it is not
    /// encrypted.
    public func dataKey(for purpose: String) -> DataKey? { encryption?.key.derived(purpose) }

    /// Lets another key open the store. Who has it open now keeps it open.
    ///
    /// - Throws: ``StoreError`` and `SealError`. At any moment at least one of the keys
    ///   opens the store.
    public static func exchangeKey(_ path: String, from old: EncryptionKey, to new: EncryptionKey)
        throws
    {
        try withExclusiveStore(path) { path in
            let file = try DatabaseFile(path, isWritable: true)
            for (offset, bytes) in try WrappedKey.exchange(
                file.read(0, WrappedKey.pageBytes), name: path, from: old, to: new)
            {
                try file.write(bytes, at: offset)
                try file.synchronize()
            }
        }
    }

    /// Runs `body` with the resolved path of a store that is there, while no other process or
    /// thread makes, opens or rewrites it.
    private static func withExclusiveStore<T>(_ path: String, _ body: (String) throws -> T) throws -> T {
        let path = try resolved(path)
        guard FileManager.default.fileExists(atPath: path) else {
            throw StoreError(.unavailable, "There is no store at \(path).")
        }
        return try withExclusiveAccess(to: path) { try body(path) }
    }

    /// Empty if there is no file.
    static func firstPage(of path: String) throws -> Data {
        guard FileManager.default.fileExists(atPath: path) else { return Data() }
        let file = try DatabaseFile(path)
        return try file.read(0, min(WrappedKey.pageBytes, file.size))
    }

    /// Writes the store anew, encrypted with another key or none, and puts that in its
    /// place when it is on disk and was read back.
    ///
    /// Needs as much room again. What the old file held is overwritten with zeros; what a
    /// file system or a solid-state disk keeps of it, nobody can reach from here.
    ///
    /// - Parameters:
    ///   - path: the store's file, which nobody has open.
    ///   - progress: is told how many pages are done, and of how many.
    ///   - old: opens it now; nil if it is not encrypted.
    ///   - new: opens it afterwards; nil writes it so that anybody can read it.
    /// - Returns: pages of 4 KiB.
    /// - Throws: ``StoreError`` and `SealError`; the store is as it was then.
    @discardableResult
    public static func rewrite(
        _ path: String, from old: EncryptionKey?, to new: EncryptionKey?,
        progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
    )
        throws -> Int
    {
        try withExclusiveStore(path) {
            try rewriteAlone($0, from: old, to: new, progress: progress)
        }
    }

    /// Writes the copy of a store that nobody has open.
    private static func rewriteAlone(
        _ path: String, from old: EncryptionKey?, to new: EncryptionKey?,
        progress: (Int, Int) -> Void
    ) throws -> Int {
        try holdingAlone(path, key: old) { db, present in
            // The log goes now: at the end it could be another's.
            var keep: Int32 = 1
            sqlite3_file_control(db.sqliteConnection, "main", SQLITE_FCNTL_PERSIST_WAL, &keep)
            unlink(path + "-wal")
            return try copy(path, from: present, to: new, progress: progress)
        }
    }

    /// Opens a store's file exclusively, so that no other process has it open, empties its log into
    /// it, and runs `body`.
    ///
    /// - Parameter key: opens it; nil if it is not encrypted.
    /// - Throws: ``StoreError`` if another program has it open.
    static func holdingAlone<T>(
        _ path: String, key: EncryptionKey?, _ body: (Database, DataKey?) throws -> T
    ) throws -> T {
        let first = try firstPage(of: path)
        guard WrappedKey.isStart(first) == (key != nil) else {
            throw key == nil
                ? SealError.keyMissing(path) : SealError(.notEncrypted, "\(path) is not encrypted.")
        }
        let present = try key.map { try WrappedKey.open(first, name: path, with: $0) }
        let use = try present.map { try SealedVFS.Use($0, path: path) }
        defer { withExtendedLifetime(use) {} }
        return try translating(path) {
            var configuration = Configuration()
            configuration.busyMode = .timeout(1)
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
            }
            let queue: DatabaseQueue
            do {
                queue = try DatabaseQueue(path: path, configuration: configuration)
            } catch let error as DatabaseError
                where error.resultCode == .SQLITE_BUSY || error.resultCode == .SQLITE_LOCKED
            { throw held(path) }
            return try queue.inDatabase { db in
                do {
                    let id = try Int32.fetchOne(db, sql: "PRAGMA application_id")
                    guard id == Schema.applicationID || id == FileTables.sideApplicationID else {
                        throw StoreError(.corrupt, "\(path) is no store of Mneme.")
                    }
                    guard
                        try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")?.read(0)
                            == 0
                    else {
                        throw held(path)
                    }
                } catch let error as DatabaseError
                    where error.resultCode == .SQLITE_BUSY || error.resultCode == .SQLITE_LOCKED
                { throw held(path) }
                // Nobody else has it open, and all of it is in the file.
                return try body(db, present)
            }
        }
    }

    /// A key for a file that is encrypted.
    static func encryption(_ path: String, _ key: EncryptionKey?) throws -> SealedVFS.Use? {
        let first = try firstPage(of: path)
        guard WrappedKey.isStart(first) else {
            guard key == nil else {
                throw SealError(
                    .notEncrypted,
                    "\(path) is not encrypted, though a key is given. `mneme encryption on` encrypts it; without the key it is used as it is."
                )
            }
            return nil
        }
        guard let key else { throw SealError.keyMissing(path) }
        return try SealedVFS.Use(WrappedKey.open(first, name: path, with: key), path: path)
    }

    // MARK: Bytes

    /// Writes the copy beside the store and puts it in its place.
    private static func copy(
        _ path: String, from old: DataKey?, to new: EncryptionKey?, progress: (Int, Int) -> Void
    )
        throws -> Int
    {
        let target = path + ".rewritten"
        removeCopies(at: target)
        do {
            let pages = try write(path, old, to: target, new, progress: progress)
            let former = try DatabaseFile(path, isWritable: true)
            do { try AtomicFile.place(target, at: path, .replacing) } catch let error
                as FileError
            {
                throw StoreError(error)
            }
            // What fails here was only to be thrown away.
            if new != nil { try? former.clear() }
            return pages
        } catch {
            removeCopies(at: target)
            throw error
        }
    }

    /// Removes the copy that is being made, and what others left that were killed at it: it may be
    /// readable.
    private static func removeCopies(at target: String) {
        let folder = parent(of: target)
        let name = (target as NSString).lastPathComponent
        for file in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where file.hasPrefix(name) { unlink("\(folder)/\(file)") }
    }

    /// Pages of a file that nobody writes to.
    private struct Pages {
        let file: DatabaseFile, path: String, key: DataKey?
        let layout = SealedLayout(
            kind: .pages, head: WrappedKey.pageBytes, overhead: DataKey.overhead)

        init(_ path: String, _ key: DataKey?) throws {
            (file, self.path, self.key) = (try DatabaseFile(path), path, key)
        }

        var count: Int {
            get throws {
                (key == nil ? try file.size : layout.size(of: try file.size)) / SealedLayout.page
            }
        }

        func page(_ number: Int) throws -> Data {
            let unit = layout.unit(at: number * SealedLayout.page)
            guard let key else { return try file.read(unit.start, unit.length) }
            let data = try file.read(unit.offset, unit.length + DataKey.overhead)
            // No database has anything on the page that SQLite locks.
            if number == 0x4000_0000 / SealedLayout.page, data.allSatisfy({ $0 == 0 }) {
                return Data(count: SealedLayout.page)
            }
            guard let plain = data.withUnsafeBytes({ key.open($0, context: unit.context(.pages)) })
            else {
                throw StoreError(
                    .corrupt, "Page \(number + 1) of \(path) is damaged. Restore a copy.")
            }
            return plain
        }
    }

    /// Writes `source`'s pages to a new file and reads them back.
    @discardableResult
    static func write(
        _ source: String, _ old: DataKey?, to target: String, _ new: EncryptionKey?,
        progress: (Int, Int) -> Void
    ) throws -> Int {
        let pages = try Pages(source, old)
        let count = try pages.count
        let key = new.map { _ in DataKey() }
        var written = SHA256()
        var readBack = SHA256()
        do {
            // It is made sure of on the disk when it gets its place.
            let out = try AtomicFile(target, durability: .cache)
            if let key, let new { try out.write(WrappedKey.page(key, for: new)) }
            for number in 0..<count {
                var page = try pages.page(number)
                // A database whose header says so is opened with a log from the start.
                if number == 0 { page.replaceSubrange(18..<20, with: [2, 2]) }
                written.update(data: page)
                if let key {
                    let unit = pages.layout.unit(at: number * SealedLayout.page)
                    page = try page.withUnsafeBytes {
                        try key.seal($0, context: unit.context(.pages))
                    }
                }
                try out.write(page)
                if number % 1_024 == 0 { progress(number, count) }
            }
            try out.finish()
        } catch let error as FileError {
            throw StoreError(error.adding("The store is written a second time; it is as it was."))
        }
        let copy = try Pages(target, key)
        let copied = try copy.count
        if copied == count {
            for number in 0..<count { readBack.update(data: try copy.page(number)) }
        }
        guard copied == count, written.finalize() == readBack.finalize() else {
            throw StoreError(
                .corrupt,
                "What was written to \(target) reads otherwise. Check the disk; \(source) is as it was."
            )
        }
        progress(count, count)
        return count
    }

    private static func held(_ path: String) -> StoreError {
        StoreError(
            .busy,
            "\(path) is open elsewhere. End that program first (`mneme serve`, `mneme mcp`), then repeat this."
        )
    }
}
