import Foundation
package import GRDB
package import MnemeSeal
import MnemeStore

/// The answers on disk: one SQLite file, encrypted where the memory store is.
///
/// ```
/// answer    one row an answer: whose, in which context, question, vector, body, times
/// policy    what was set for a category, as JSON
/// count     hits, misses and what was saved, by category
/// ```
///
/// Each change is on disk when its call returns. What is deleted is overwritten, in the log too.
package final class CacheFile: Sendable {
    /// The file's path.
    package var path: String { database.path }
    private let database: SideDatabase

    /// Opens the file, or makes it.
    ///
    /// - Throws: `StoreError`, and `SealError` if the key is missing or another one.
    package init(path: String, key: EncryptionKey?) throws {
        database = try SideDatabase(path: path, tables: FileTables(Self.migrator), key: key)
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        // `exact` and `context` are hashes in which the principal is, so that no query can reach
        // another's rows by a slip; `principal` is for lists.
        migrator.registerMigration("1") { db in
            try db.execute(
                sql: """
                    PRAGMA application_id = \(FileTables.sideApplicationID);
                    CREATE TABLE answer (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        exact BLOB NOT NULL UNIQUE, context BLOB NOT NULL,
                        principal TEXT NOT NULL, model TEXT NOT NULL, category TEXT NOT NULL,
                        question TEXT NOT NULL, body TEXT NOT NULL,
                        embedder TEXT, vector BLOB,
                        stored REAL NOT NULL, used REAL NOT NULL, hits INTEGER NOT NULL DEFAULT 0
                    ) STRICT;
                    CREATE INDEX answer_quota ON answer (principal, category, used);
                    CREATE TABLE policy (category TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
                    CREATE TABLE count (
                        category TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
                        PRIMARY KEY (category, name)
                    ) STRICT;
                    """)
        }
        return migrator
    }

    /// Runs `body` in one snapshot.
    package func read<T>(_ body: (Database) throws -> T) throws -> T { try database.read(body) }
    /// Runs `body` in one transaction.
    package func write<T>(_ body: (Database) throws -> T) throws -> T { try database.write(body) }
    /// Waits for the disk no longer.
    func becomeTemporary() throws { try database.becomeTemporary() }
    /// Empties the log, so that nothing of what was deleted is left in it.
    package func checkpoint() throws { try database.checkpoint() }
    /// Closes the file. No call may follow.
    package func close() throws { try database.close() }
}

extension CacheEntry {
    /// The columns of `answer` that an entry has.
    static let columns = "id, principal, model, category, question, body, stored, used, hits"

    /// An entry from a row of ``columns``.
    ///
    /// - Throws: what a value of a wrong type in a damaged file throws.
    init(_ row: Row) throws {
        self.init(
            id: try row.decode(forColumn: "id"), principal: try row.decode(forColumn: "principal"),
            model: try row.decode(forColumn: "model"),
            category: QuestionCategory(rawValue: try row.decode(forColumn: "category")) ?? .other,
            question: try row.decode(forColumn: "question"),
            answer: try row.decode(forColumn: "body"),
            stored: Date(timeIntervalSince1970: try row.decode(forColumn: "stored")),
            used: Date(timeIntervalSince1970: try row.decode(forColumn: "used")),
            hits: try row.decode(forColumn: "hits"))
    }
}
