import Foundation
import GRDB

/// Rows of all tables, for copies to another store and from one.
extension SQLiteMemoryStore: CopyableStore {
    package func readTables(_ body: (any StoreTableReader) throws -> Void) throws {
        try read { try body(SQLiteTables(db: $0)) }
    }

    package func endLongRead() { try? dropOldPages() }

    package func writeTables(_ body: (any StoreTableWriter) throws -> Void) throws {
        try write { try body(SQLiteTables(db: $0)) }
    }
}

/// The tables in a transaction of SQLite.
private struct SQLiteTables: StoreTableReader, StoreTableWriter {
    let db: Database

    func count(_ table: StoreTable) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table.name)") ?? 0
    }

    func forEachRow(_ table: StoreTable, _ filter: RowFilter, _ body: ([StoredValue]) throws -> Void) throws {
        let (condition, arguments) = Self.condition(filter)
        let rows = try Row.fetchCursor(
            db, sql: "SELECT \(table.columnList) FROM \(table.name)\(condition) ORDER BY \(table.orderList)",
            arguments: arguments)
        while let row = try rows.next() { try body(Self.values(row)) }
    }

    func last(_ table: StoreTable) throws -> [StoredValue]? {
        let order = table.order.map { "\"\($0)\" DESC" }.joined(separator: ", ")
        return try Row.fetchOne(
            db, sql: "SELECT \(table.columnList) FROM \(table.name) ORDER BY \(order) LIMIT 1"
        ).map(Self.values)
    }

    private static func condition(_ filter: RowFilter) -> (sql: String, arguments: StatementArguments) {
        switch filter {
        case .all: ("", [])
        case .above(let column, let number): (" WHERE \"\(column)\" > ?", [number])
        case .among(let column, let values):
            (
                " WHERE \"\(column)\" IN (\(values.map { _ in "?" }.joined(separator: ", ")))",
                StatementArguments(values.map(argument))
            )
        }
    }

    private static func values(_ row: Row) -> [StoredValue] {
        row.databaseValues.map { value in
            switch value.storage {
            case .null: .null
            case .int64(let number): .number(number)
            case .double(let number): .real(number)
            case .string(let text): .text(text)
            case .blob(let data): .bytes(data)
            }
        }
    }

    private static func argument(_ value: StoredValue) -> (any DatabaseValueConvertible)? {
        switch value {
        case .null: nil
        case .number(let number): number
        case .real(let number): number
        case .text(let text): text
        case .bytes(let data): data
        }
    }

    /// The counter of vectors is there from the beginning.
    func isEmpty() throws -> Bool {
        try StoreTable.all.allSatisfy { try $0.name == "counter" || count($0) == 0 }
    }

    func insert(_ row: [StoredValue], into table: StoreTable) throws {
        let marks = row.map { _ in "?" }.joined(separator: ", ")
        // One row is there from the beginning: that of the counter.
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO \(table.name) (\(table.columnList)) VALUES (\(marks))"
        ).execute(arguments: StatementArguments(row.map(Self.argument)))
    }
}
