package import Foundation
package import GRDB

/// Checked reading of columns: a damaged file may hold anything, and a row's subscript ends the
/// process where a value does not fit.
extension Row: StoredRow {
    package func text(_ column: String) throws -> String? { try read(column) }
    package func integer(_ column: String) throws -> Int64? { try read(column) }
    package func real(_ column: String) throws -> Double? { try read(column) }
    package func bytes(_ column: String) throws -> Data? { try read(column) }

    /// The value of a column.
    ///
    /// - Throws: `RowDecodingError`, which ``SQLiteMemoryStore/translating(_:_:)`` turns into a
    ///   ``StoreError``.
    func read<Value: DatabaseValueConvertible & StatementColumnConvertible>(_ column: String) throws
        -> Value
    {
        try decode(forColumn: column)
    }

    /// The value of the column `index`, as ``read(_:)``.
    func read<Value: DatabaseValueConvertible & StatementColumnConvertible>(_ index: Int) throws
        -> Value
    {
        try decode(atIndex: index)
    }

    /// A time; seconds since 1970.
    func time(_ column: String) throws -> Date { try StoreCoding.time(read(column)) }
    /// As ``time(_:)``.
    func time(_ index: Int) throws -> Date { try StoreCoding.time(read(index)) }
    /// A time that may be absent.
    func optionalTime(_ column: String) throws -> Date? {
        try (read(column) as Double?).map(StoreCoding.time)
    }
    /// As ``optionalTime(_:)``.
    func optionalTime(_ index: Int) throws -> Date? {
        try (read(index) as Double?).map(StoreCoding.time)
    }
}
