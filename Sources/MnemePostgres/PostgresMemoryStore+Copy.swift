import Foundation
package import MnemeStore

/// Rows of all tables, for copies to another store and from one.
extension PostgresMemoryStore: CopyableStore {
    /// Nothing is read twice: a connection that is lost ends the copy.
    package func readTables(_ body: (any StoreTableReader) throws -> Void) throws {
        try read(isRepeatable: false) { db in
            try Self.showAll(db)
            try body(PGTables(db: db))
        }
    }

    /// As the store's one writer. Identities go on behind the rows that were copied.
    package func writeTables(_ body: (any StoreTableWriter) throws -> Void) throws {
        try write(isRepeatable: false) { transaction in
            let db = transaction.db
            try Self.showAll(db)
            try body(PGTables(db: db))
            for (table, column) in [
                ("owner", "id"), ("session", "id"), ("cube", "seq"), ("access_grant", "id"), ("job", "id"),
            ] {
                try db.run(
                    """
                    SELECT setval(pg_get_serial_sequence('\(table)', '\(column)'), max(\(column))) FROM \(table)
                    """)
            }
            // Indexes that nobody knows the size of are not used.
            let tables = StoreTable.all.map { "\"\($0.name)\"" }.joined(separator: ", ")
            try db.run("ANALYZE \(tables)", isKept: false)
        }
    }
}

/// The tables in a transaction of PostgreSQL.
private struct PGTables: StoreTableReader, StoreTableWriter {
    let db: PGConnection

    func count(_ table: StoreTable) throws -> Int {
        Int(try db.number("SELECT count(*) FROM \(table.name)") ?? 0)
    }

    func forEachRow(_ table: StoreTable, _ filter: RowFilter, _ body: ([StoredValue]) throws -> Void) throws {
        let (condition, arguments) = Self.condition(filter)
        try db.forEach(
            "SELECT \(table.columnList) FROM \(table.name)\(condition) ORDER BY \(table.orderList)", arguments
        ) { row in
            try body(Self.values(row, table))
            return true
        }
    }

    func last(_ table: StoreTable) throws -> [StoredValue]? {
        let order = table.order.map { "\"\($0)\" DESC" }.joined(separator: ", ")
        return try db.first(
            "SELECT \(table.columnList) FROM \(table.name) ORDER BY \(order) LIMIT 1"
        ).map { try Self.values($0, table) }
    }

    private static func values(_ row: PGRow, _ table: StoreTable) throws -> [StoredValue] {
        try (0..<Int32(table.columns.count)).map { try row.stored(at: $0) }
    }

    private static func condition(_ filter: RowFilter) -> (sql: String, arguments: PGArguments) {
        switch filter {
        case .all: ("", [])
        case .above(let column, let number): (" WHERE \"\(column)\" > ?", [number])
        case .among(let column, let values):
            (
                " WHERE \"\(column)\" IN (\(values.map { _ in "?" }.joined(separator: ", ")))",
                values.map { argument($0, column) }
            )
        }
    }

    private static func argument(_ value: StoredValue, _ column: String) -> (any PGEncodable)? {
        switch value {
        case .null: nil
        // The one truth value among the columns is a number elsewhere.
        case .number(let number): column == "denied" ? number != 0 : number
        case .real(let number): number
        case .text(let text): text
        case .bytes(let data): data
        }
    }

    /// The counter of vectors is there from the beginning.
    func isEmpty() throws -> Bool {
        try StoreTable.all.allSatisfy { table in
            try table.name == "counter"
                || db.number("SELECT 1 FROM \(table.name) LIMIT 1") == nil
        }
    }

    func insert(_ row: [StoredValue], into table: StoreTable) throws {
        var arguments: PGArguments = zip(row, table.columns).map { Self.argument($0, $1) }
        var (columns, marks) = (table.columnList, row.map { _ in "?" }.joined(separator: ", "))
        if table.name == "vector" || table.name == "pending", let cube = arguments.first {
            columns += ", owner"
            marks += ", (SELECT owner FROM cube WHERE seq = ?)"
            arguments.append(cube)
        }
        let rest = table.name == "counter" ? " ON CONFLICT (name) DO UPDATE SET value = excluded.value" : ""
        try db.run("INSERT INTO \(table.name) (\(columns)) VALUES (\(marks))\(rest)", arguments)
    }
}
