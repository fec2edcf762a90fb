import CLibPQ
import Foundation
import MnemeStore

/// The rows of a statement, as libpq keeps them.
final class PGResult {
    fileprivate let pointer: OpaquePointer
    /// Columns by name.
    fileprivate private(set) lazy var columns: [String: Int32] = Dictionary(
        (0..<PQnfields(pointer)).map { (String(cString: PQfname(pointer, $0)), $0) },
        uniquingKeysWith: { first, _ in first })

    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { PQclear(pointer) }

    /// All rows.
    var rows: [PGRow] { (0..<PQntuples(pointer)).map { PGRow(result: self, index: $0) } }
    /// Rows that an INSERT, UPDATE or DELETE has touched.
    var changes: Int { Int(String(cString: PQcmdTuples(pointer))) ?? 0 }
}

/// A row, whose values are in binary form.
struct PGRow: StoredRow {
    fileprivate let result: PGResult
    fileprivate let index: Int32

    /// Types of PostgreSQL that columns have (`pg_type.dat`).
    private enum Kind {
        static let bool: UInt32 = 16, bytes: UInt32 = 17
        static let wide: UInt32 = 20, narrow: UInt32 = 23, real: UInt32 = 701
        static let texts: Set<UInt32> = [25, 19, 1043, 114, 18, 1042]
    }

    /// A column's type and bytes; nil for NULL.
    private func value(_ column: Int32) -> (kind: UInt32, bytes: UnsafeRawBufferPointer)? {
        guard PQgetisnull(result.pointer, index, column) == 0 else { return nil }
        return (
            PQftype(result.pointer, column),
            UnsafeRawBufferPointer(
                start: PQgetvalue(result.pointer, index, column),
                count: Int(PQgetlength(result.pointer, index, column)))
        )
    }

    private func column(_ name: String) throws -> Int32 {
        guard let column = result.columns[name] else {
            throw StoreError(.corrupt, "A row of the database has no column '\(name)'. Run `mneme doctor`.")
        }
        return column
    }

    private func mismatch(_ column: Int32) -> StoreError {
        StoreError(
            .corrupt,
            "The column '\(String(cString: PQfname(result.pointer, column)))' of the database holds a value of a wrong type. Run `mneme doctor`."
        )
    }

    // By place, where a statement chooses its columns.

    func text(at column: Int32) throws -> String? {
        guard let (kind, bytes) = value(column) else { return nil }
        guard Kind.texts.contains(kind) else { throw mismatch(column) }
        return String(decoding: bytes, as: UTF8.self)
    }
    func integer(at column: Int32) throws -> Int64? {
        guard let (kind, bytes) = value(column) else { return nil }
        switch kind {
        case Kind.wide: return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        case Kind.narrow: return Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        case Kind.bool: return bytes[0] == 0 ? 0 : 1
        default: throw mismatch(column)
        }
    }
    func real(at column: Int32) throws -> Double? {
        guard let (kind, bytes) = value(column) else { return nil }
        guard kind == Kind.real else { throw mismatch(column) }
        return Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
    }
    func bytes(at column: Int32) throws -> Data? {
        guard let (kind, bytes) = value(column) else { return nil }
        guard kind == Kind.bytes else { throw mismatch(column) }
        return Data(bytes)
    }

    /// A value of any of the types that columns have.
    func stored(at column: Int32) throws -> StoredValue {
        guard let (kind, _) = value(column) else { return .null }
        switch kind {
        case Kind.bytes: return try bytes(at: column).map(StoredValue.bytes) ?? .null
        case Kind.real: return try real(at: column).map(StoredValue.real) ?? .null
        case Kind.wide, Kind.narrow, Kind.bool:
            return try integer(at: column).map(StoredValue.number) ?? .null
        default: return try text(at: column).map(StoredValue.text) ?? .null
        }
    }

    /// Floats, as vectors are kept.
    func floats(_ column: String) throws -> [Float]? {
        try bytes(column).map { data in
            [Float](unsafeUninitializedCapacity: data.count / 4) { floats, count in
                count = data.count / 4
                data.copyBytes(to: UnsafeMutableRawBufferPointer(floats), count: count * 4)
            }
        }
    }

    func text(_ column: String) throws -> String? { try text(at: self.column(column)) }
    func integer(_ column: String) throws -> Int64? { try integer(at: self.column(column)) }
    func real(_ column: String) throws -> Double? { try real(at: self.column(column)) }
    func bytes(_ column: String) throws -> Data? { try bytes(at: self.column(column)) }
}
