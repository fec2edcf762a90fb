import Foundation
import MnemeBase

/// Rows of tables as bytes: a file of a backup before it is encrypted.
///
/// ```
/// "MNEMEROWS 1\n"
/// {"bytes":…,"columns":"…","rows":…,"table":"…"}\n      a section: one table
/// rows                                                  each value a tag, then what it holds
/// …                                                     the next section
/// ```
/// Tags: 0 nothing; 1 a whole number (zigzag, seven bits a byte); 2 a floating-point number (eight
/// bytes, little endian); 3 text and 4 bytes, with their length before them.
struct BackupSegment {
    /// Its bytes, and what errors call it.
    let data: Data, name: String

    /// The head of a section.
    struct Section: Codable {
        var table: String, columns: String, rows: Int, bytes: Int
        /// Of a table that is compared in buckets: those that earlier rows no longer count of.
        var buckets: [Int64]?
    }

    fileprivate static let magic = Array("MNEMEROWS 1\n".utf8)

    /// Hands the rows over.
    ///
    /// - Parameters:
    ///   - tables: tables that are wanted; nil for all.
    ///   - section: called before the rows of each section that is wanted.
    ///   - row: called with each row.
    /// - Throws: ``StoreError`` if it is damaged or has other columns; and what the closures throw.
    func read(
        _ tables: Set<String>? = nil, section: (Section, StoreTable) throws -> Void = { _, _ in },
        row: ([StoredValue], StoreTable) throws -> Void
    ) throws {
        let bytes = [UInt8](data)
        var cursor = Cursor(bytes: bytes[...], name: name)
        guard bytes.starts(with: Self.magic) else { throw cursor.damaged }
        cursor.skip(Self.magic.count)
        while !cursor.bytes.isEmpty {
            let head = try cursor.section()
            guard head.rows >= 0, head.bytes >= 0, head.bytes <= cursor.bytes.count else { throw cursor.damaged }
            guard let table = StoreTable.backedUp.first(where: { $0.key == head.table }),
                table.columns.joined(separator: " ") == head.columns
            else {
                throw StoreError(
                    .newerVersion,
                    "\(name) has rows of another version of Mneme (\(TerminalText.shown(head.table, onOneLine: true))). Restore it with that version."
                )
            }
            var rows = Cursor(bytes: cursor.bytes.prefix(head.bytes), name: name)
            cursor.skip(head.bytes)
            guard tables?.contains(head.table) ?? true else { continue }
            try section(head, table)
            for _ in 0..<head.rows { try row(try table.columns.map { _ in try rows.value() }, table) }
            guard rows.bytes.isEmpty else { throw rows.damaged }
        }
    }

    /// Appends a value.
    static func append(_ value: StoredValue, to bytes: inout [UInt8]) {
        func append(_ number: UInt64) {
            var rest = number
            while rest >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            bytes.append(UInt8(rest))
        }
        switch value {
        case .null: bytes.append(0)
        case .number(let number):
            bytes.append(1)
            append(UInt64(bitPattern: (number << 1) ^ (number >> 63)))
        case .real(let number):
            bytes.append(2)
            withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
        case .text(let text):
            bytes.append(3)
            append(UInt64(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
        case .bytes(let data):
            bytes.append(4)
            append(UInt64(data.count))
            bytes.append(contentsOf: data)
        }
    }

    /// What is left of a file. Every read is checked: the bytes may be anything.
    private struct Cursor {
        var bytes: ArraySlice<UInt8>
        let name: String

        var damaged: StoreError { StoreError(.corrupt, "\(name) is damaged: its rows cannot be read.") }

        mutating func skip(_ count: Int) { bytes = bytes.dropFirst(count) }

        mutating func section() throws -> Section {
            guard let end = bytes.firstIndex(of: 10),
                let head = try? JSONDecoder().decode(Section.self, from: Data(bytes[..<end]))
            else { throw damaged }
            bytes = bytes[(end + 1)...]
            return head
        }

        mutating func value() throws -> StoredValue {
            switch bytes.popFirst() {
            case 0: return .null
            case 1:
                let code = try count()
                return .number(Int64(bitPattern: code >> 1) ^ -Int64(bitPattern: code & 1))
            case 2:
                let bits = try take(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                return .real(Double(bitPattern: bits))
            case 3:
                guard let text = String(validating: try take(count()), as: UTF8.self) else { throw damaged }
                return .text(text)
            case 4: return .bytes(Data(try take(count())))
            default: throw damaged
            }
        }

        private mutating func count() throws -> UInt64 {
            var number: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 70, by: 7) {
                guard let byte = bytes.popFirst() else { throw damaged }
                number |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return number }
            }
            throw damaged
        }

        private mutating func take(_ count: UInt64) throws -> ArraySlice<UInt8> {
            guard count <= UInt64(bytes.count) else { throw damaged }
            defer { skip(Int(count)) }
            return bytes.prefix(Int(count))
        }
    }
}

/// Puts rows into files of bounded size.
struct BackupSegmentWriter {
    /// Bytes after which a file ends; nil for one file, whatever its size.
    let limit: Int?
    /// Takes a file that is whole, with the tables that it has rows of.
    let emit: (Data, [String]) throws -> Void
    /// All rows so far.
    private(set) var rows = 0
    private var done: [UInt8] = BackupSegment.magic
    private var tables: [String] = []
    private var body: [UInt8] = []
    private var table: StoreTable?, count = 0, buckets: [Int64]?

    init(limit: Int? = 8 << 20, emit: @escaping (Data, [String]) throws -> Void) {
        (self.limit, self.emit) = (limit, emit)
    }

    /// Begins the rows of a table.
    mutating func begin(_ table: StoreTable, replacing buckets: [Int64]? = nil) throws {
        try endSection()
        (self.table, self.buckets) = (table, buckets)
    }

    /// Adds a row of the table that was begun.
    mutating func add(_ row: [StoredValue]) throws {
        for value in row { BackupSegment.append(value, to: &body) }
        (rows, count) = (rows + 1, count + 1)
        if let limit, done.count + body.count >= limit {
            try endSection()
            try endFile()
        }
    }

    /// Says of the table that was begun which buckets earlier rows no longer count of.
    mutating func replace(_ buckets: [Int64]) { self.buckets = buckets }

    /// Hands out what is left.
    mutating func finish() throws {
        try endSection()
        if !tables.isEmpty { try endFile() }
    }

    /// A section without rows says something only if it replaces buckets.
    private mutating func endSection() throws {
        defer { (body, count, buckets) = ([], 0, nil) }
        guard let table, count > 0 || buckets != nil else { return }
        let head = BackupSegment.Section(
            table: table.key, columns: table.columns.joined(separator: " "), rows: count, bytes: body.count,
            buckets: buckets)
        done += Array(try StoreCoding.encode(head).utf8) + [10]
        done += body
        if tables.last != table.key { tables.append(table.key) }
    }

    private mutating func endFile() throws {
        try emit(Data(done), tables)
        (done, tables) = (BackupSegment.magic, [])
    }
}
