import Foundation
import GRDB
import GRDBSQLite

/// Writes a row of a table that each memory adds one to, value by value in the order of the columns.
///
/// GRDB boxes all values of a row and looks at them twice, which takes as long as SQLite needs for the
/// row. Here each goes to SQLite as it is.
///
/// ```swift
/// var row = try RowWriter(db, "INSERT INTO pending (cube) VALUES (?)")
/// row.add(sequence)
/// try row.write()
/// ```
struct RowWriter {
    private let database: Database
    private let statement: Statement
    private var column: Int32 = 0
    /// The first code of SQLite that was no success.
    private var failure = SQLITE_OK

    /// Begins a row.
    ///
    /// - Parameters:
    ///   - db: in a transaction.
    ///   - sql: one statement that answers no rows, or one of one text, with a `?` for each value.
    init(_ db: Database, _ sql: String) throws {
        var statement: Statement?
        try self.init(db, sql, keptIn: &statement)
    }

    /// As ``init(_:_:)``, of one statement for many rows: to look for it by its text takes as long as to
    /// hand over some values.
    ///
    /// - Parameter kept: the statement, from the first row on.
    init(_ db: Database, _ sql: String, keptIn kept: inout Statement?) throws {
        database = db
        statement = try kept ?? db.cachedStatement(sql: sql)
        kept = statement
        sqlite3_reset(statement.sqliteStatement)
    }

    /// Adds a number, or NULL.
    mutating func add(_ value: Int64?) {
        guard let value else { return addNothing() }
        next { sqlite3_bind_int64($0, $1, value) }
    }

    /// Adds a number.
    mutating func add(_ value: Int) { add(Int64(value)) }

    /// Adds a number, or NULL.
    mutating func add(_ value: Double?) {
        guard let value else { return addNothing() }
        next { sqlite3_bind_double($0, $1, value) }
    }

    /// Adds a time in seconds since 1970, or NULL.
    mutating func add(_ value: Date?) { add(value?.timeIntervalSince1970) }

    /// Adds a text, or NULL.
    mutating func add(_ value: String?) {
        guard var value else { return addNothing() }
        value.withUTF8 { text in
            text.withMemoryRebound(to: CChar.self) { text in
                next { handle, column in
                    // No address would be NULL.
                    text.isEmpty
                        ? sqlite3_bind_text(handle, column, "", 0, Self.copied)
                        : sqlite3_bind_text(handle, column, text.baseAddress, Int32(text.count), Self.copied)
                }
            }
        }
    }

    /// Adds bytes.
    mutating func add(bytes: some ContiguousBytes) {
        bytes.withUnsafeBytes { bytes in
            next { handle, column in
                bytes.isEmpty
                    ? sqlite3_bind_zeroblob(handle, column, 0)
                    : sqlite3_bind_blob(handle, column, bytes.baseAddress, Int32(bytes.count), Self.copied)
            }
        }
    }

    /// Writes the row.
    ///
    /// - Throws: GRDB's error with SQLite's code, as its own statements throw.
    consuming func write() throws { _ = try text() }

    /// Asks for a row instead, and reads its one column.
    ///
    /// - Returns: nil if there is none, or no text in it.
    /// - Throws: as ``write()``.
    consuming func text() throws -> String? {
        let handle = statement.sqliteStatement
        var code = failure
        if code == SQLITE_OK { code = sqlite3_step(handle) }
        defer {
            sqlite3_reset(handle)
            sqlite3_clear_bindings(handle)
        }
        if code == SQLITE_ROW { return sqlite3_column_text(handle, 0).map { String(cString: $0) } }
        guard code == SQLITE_DONE else {
            let connection = database.sqliteConnection
            throw DatabaseError(
                resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
                message: String(cString: sqlite3_errmsg(connection)))
        }
        return nil
    }

    /// `SQLITE_TRANSIENT`: SQLite copies what it is handed.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    private mutating func addNothing() { next { sqlite3_bind_null($0, $1) } }

    private mutating func next(_ bind: (SQLiteStatement, Int32) -> Int32) {
        column += 1
        let code = bind(statement.sqliteStatement, column)
        if failure == SQLITE_OK { failure = code }
    }
}
