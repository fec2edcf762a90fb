package import GRDB
import MnemeBase
package import MnemeSeal

/// Tables of a kind of file: how they come to be, and how the file is told from others.
package struct FileTables: Sendable {
    /// Every step from an empty file to today's tables; the first one sets ``applicationID``.
    package let migrator: DatabaseMigrator
    /// Marks the file (`PRAGMA application_id`).
    package let applicationID: Int32

    /// Tables of a file beside the store, of the mark ``sideApplicationID``.
    package init(_ migrator: DatabaseMigrator) { self.init(migrator, Self.sideApplicationID) }

    private init(_ migrator: DatabaseMigrator, _ applicationID: Int32) {
        (self.migrator, self.applicationID) = (migrator, applicationID)
    }

    /// The store's own.
    static let store = FileTables(Schema.migrator, Schema.applicationID)
    /// The mark of files beside the store: "MNES".
    package static let sideApplicationID: Int32 = 0x4d4e_4553
}

/// An SQLite file beside the memory store, kept with the same care: its owner's alone, whole or not
/// there, on disk before a call returns, freed pages zeroed, encrypted if there is a key.
///
/// Several processes may open the file. Reads run beside each other and beside one write.
package final class SideDatabase: Sendable {
    /// The file, symbolic links followed.
    package let path: String
    private let pool: DatabasePool
    /// Holds the key of an encrypted file as long as it is open.
    private let encryption: SealedVFS.Use?

    /// Opens the file, or makes it with its folder.
    ///
    /// - Throws: ``StoreError``, and `SealError` if the key is missing or another one.
    package init(path: String, tables: FileTables, key: EncryptionKey?) throws {
        do { try Privacy.makeFolder(parent(of: path)) } catch let error as FileError {
            throw StoreError(error)
        }
        let path = try SQLiteMemoryStore.resolved(path)
        self.path = path
        (encryption, pool) = try SQLiteMemoryStore.withExclusiveAccess(to: path) {
            try SQLiteMemoryStore.createIfAbsent(path, key: key, tables: tables)
            let encryption = try SQLiteMemoryStore.encryption(path, key)
            return (encryption, try SQLiteMemoryStore.openPool(path, tables: tables))
        }
    }

    /// Runs `body` in one snapshot.
    ///
    /// - Throws: ``StoreError``, and what `body` throws.
    package func read<T>(_ body: (Database) throws -> T) throws -> T {
        try SQLiteMemoryStore.translating(path) { try pool.read(body) }
    }

    /// Runs `body` in one transaction; other processes are waited for up to ten seconds.
    ///
    /// - Throws: ``StoreError``, and what `body` throws; then nothing is changed.
    package func write<T>(_ body: (Database) throws -> T) throws -> T {
        try SQLiteMemoryStore.translating(path) { try pool.write(body) }
    }

    /// Waits for the disk no longer: for files that are thrown away when their work is done.
    ///
    /// - Throws: ``StoreError``.
    package func becomeTemporary() throws {
        try SQLiteMemoryStore.translating(path) {
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = OFF") }
        }
    }

    /// Empties the log, so that nothing of what was deleted is left in it.
    ///
    /// - Throws: ``StoreError``.
    package func checkpoint() throws {
        try SQLiteMemoryStore.translating(path) {
            try pool.writeWithoutTransaction {
                _ = try Row.fetchOne($0, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
        }
    }

    /// Checkpoints the log and closes the file. No call may follow.
    ///
    /// - Throws: ``StoreError``.
    package func close() throws {
        try checkpoint()
        try SQLiteMemoryStore.translating(path) { try pool.close() }
    }
}
