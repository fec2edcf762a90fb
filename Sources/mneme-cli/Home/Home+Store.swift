import Crypto
import Foundation
import Mneme
import MnemeBase
import MnemeSeal
import MnemeStore

#if Postgres && canImport(MnemePostgres)
    import MnemePostgres
#endif

/// Stores: in a file, or in a database that a URL names.
extension Home {
    /// Tells whether a store's name is the URL of a PostgreSQL database.
    static func isDatabase(_ store: String) -> Bool {
        store.hasPrefix("postgres://") || store.hasPrefix("postgresql://")
    }

    /// A store with the signing key of this machine; made if it is not there.
    ///
    /// - Parameter path: a file's path, or the URL of a PostgreSQL database.
    /// - Throws: `StoreError` if it cannot be used as a store, `SealError` for a key that is missing or
    ///   wrong, `InputError` if two keys are named.
    static func memoryStore(_ path: String) throws -> any MemoryStore {
        isDatabase(path) ? try databaseStore(path) : try fileStore(path)
    }

    /// The path of a store.
    ///
    /// - Throws: `InputError` for the URL of a database.
    static func requireFile(_ path: String) throws -> String {
        guard !isDatabase(path) else {
            throw InputError(
                "This is for a store in a file. A database is backed up with `mneme backup FOLDER` and restored with --to, "
                    + "or copied into a file with `mneme store copy`.")
        }
        return path
    }

    /// A store in a file, with the encryption key of this machine, too.
    static func fileStore(_ path: String) throws -> SQLiteMemoryStore {
        try SQLiteMemoryStore(
            path: requireFile(path), analyzer: MemoryOS.analyzerVersion, auditKey: signingKey(),
            key: encryptionKey())
    }

    #if Postgres && canImport(MnemePostgres)
        private static func databaseStore(_ url: String) throws -> any MemoryStore {
            var settings = try PostgresSettings(url)
            settings.filesKey = try encryptionKey()?.derived("database")
            return try PostgresMemoryStore(
                settings, analyzer: MemoryOS.analyzerVersion, auditKey: signingKey())
        }
    #else
        private static func databaseStore(_ url: String) throws -> any MemoryStore {
            throw InputError(
                "This mneme was built without PostgreSQL. Install libpq-dev, and build it with the trait Postgres.")
        }
    #endif

    /// A store as a file may name it, for work that goes on later: a database without its password,
    /// which `PGPASSWORD` or a file of passwords has then.
    static func remembered(_ path: String) -> String {
        isDatabase(path)
            ? path.replacing(/^([^:]+:\/\/[^:@\/]*):[^@]*@/) { "\($0.output.1)@" }
            : URL(fileURLWithPath: path).path
    }

    /// Where the indexes of a store are on this machine: beside its file, or for a database in a folder
    /// of its own, which all servers of this machine share.
    ///
    /// - Parameters:
    ///   - path: the store's file or URL.
    ///   - folder: for databases; the setting `index_folder` if nil, or ``folder``.
    /// - Throws: `InputError` for a folder that is named where the store is a file.
    static func indexFolder(of path: String, in folder: String? = nil) throws -> String {
        guard isDatabase(path) else {
            guard folder == nil else {
                throw InputError(
                    "--index-folder is for a database. The indexes of a store in a file are beside it.")
            }
            return path + ".index"
        }
        let root = folder ?? Settings.current.text(.indexFolder) ?? "\(Self.folder)/index"
        return "\(root)/postgres-\(digits(database(path)))"
    }

    /// Moves the index files of a database to where they are now: an earlier version called the folder
    /// by a hash of the whole URL, so that a new password made a new one.
    static func moveIndexes(of path: String, to folder: String) {
        guard isDatabase(path) else { return }
        let former = "\(Self.folder)/index/postgres-\(digits(path))"
        guard former != folder, FileManager.default.fileExists(atPath: former) else { return }
        try? Privacy.makeFolder(parent(of: folder))
        if rename(former, folder) != 0 { try? FileManager.default.removeItem(atPath: former) }
    }

    /// What of a URL says which tables are meant: hosts, database and schema, without user, password and
    /// all else.
    private static func database(_ url: String) -> String {
        let parts = url.split(separator: "?", maxSplits: 1).map(String.init)
        let place = parts[0].replacing(/^[a-z]+:\/\/([^\/]*@)?/, with: "")
        let named =
            parts.count < 2
            ? []
            : parts[1].split(separator: "&").filter { field in
                ["mneme_schema=", "host=", "hostaddr=", "port=", "dbname="].contains { field.hasPrefix($0) }
            }
        return ([place] + named.sorted().map(String.init)).joined(separator: "\n")
    }

    /// The first digits of a text's hash.
    private static func digits(_ text: String) -> String {
        SHA256.hash(data: Data(text.utf8)).prefix(8).map { String(format: "%02x", $0) }.joined()
    }
}
