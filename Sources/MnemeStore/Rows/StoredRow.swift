package import Foundation

/// A row of a backend's tables, read by the names of its columns. How rows become values is in
/// extensions of it, the same for all backends.
///
/// Reading is checked: a damaged store may hold anything, and what does not fit is an error.
package protocol StoredRow {
    /// A text; nil for NULL.
    func text(_ column: String) throws -> String?
    /// A number; nil for NULL.
    func integer(_ column: String) throws -> Int64?
    /// A floating-point number; nil for NULL.
    func real(_ column: String) throws -> Double?
    /// Bytes; nil for NULL.
    func bytes(_ column: String) throws -> Data?
}

extension StoredRow {
    /// A text that is there.
    package func value(_ column: String) throws -> String { try present(text(column), column) }
    /// A number that is there.
    package func value(_ column: String) throws -> Int64 { try present(integer(column), column) }
    /// As above.
    package func value(_ column: String) throws -> Int { Int(try value(column) as Int64) }
    /// A floating-point number that is there.
    package func value(_ column: String) throws -> Double { try present(real(column), column) }
    /// Bytes that are there.
    package func value(_ column: String) throws -> Data { try present(bytes(column), column) }

    /// A time; seconds since 1970.
    package func date(_ column: String) throws -> Date { try StoreCoding.time(value(column)) }
    /// A time that may be absent.
    package func optionalDate(_ column: String) throws -> Date? {
        try real(column).map(StoreCoding.time)
    }

    private func present<T>(_ value: T?, _ column: String) throws -> T {
        guard let value else {
            throw StoreError(
                .corrupt, "A row of the store has no value for '\(column)'. Run `mneme doctor`.")
        }
        return value
    }
}
