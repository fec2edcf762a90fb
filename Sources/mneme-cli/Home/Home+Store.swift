import Crypto
import Foundation
import Mneme
import MnemeBase
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
                "This is for a store in a file. A database is copied with PostgreSQL's own tools, such as pg_dump, "
                    + "or into a file with `mneme store copy`.")
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
            try PostgresMemoryStore(
                PostgresSettings(url), analyzer: MemoryOS.analyzerVersion, auditKey: signingKey())
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

    /// Where the indexes of a store are on this machine: beside its file, or for a database in
    /// ``folder``, named by a hash, as passwords may stand in the URL.
    static func indexFolder(of path: String) -> String {
        guard isDatabase(path) else { return path + ".index" }
        let name = SHA256.hash(data: Data(path.utf8)).prefix(8).map { String(format: "%02x", $0) }
        return "\(folder)/index/postgres-\(name.joined())"
    }
}
