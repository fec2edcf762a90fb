import Foundation
import MnemeBase

/// The rows of one point, read in one snapshot of a store.
///
/// What is only added to (journal, audit log) is read from where the last point ended. What
/// changes with the journal (memories with their vectors, claims and links) is found by the
/// journal's new entries. All else is small or narrow: it is read whole, and compared with digests
/// of the last point, a bucket of rows at a time.
struct BackupRun {
    /// The tables whose rows follow from the journal, and those that are only added to.
    private static let followed: Set<String> = ["cube", "vector", "claim", "link", "journal", "audit"]
    /// Values of a condition at a time.
    private static let batch = 500

    let reader: any StoreTableReader
    /// Called with rows done.
    let progress: (Int) -> Void
    var writer: BackupSegmentWriter
    /// Digests of the buckets: of the last point before, and of this one afterwards.
    var buckets: [String: [Int64: UInt64]]
    /// Memories whose erasure the journal has since the last point.
    private(set) var erased: Set<String> = []

    /// Writes all rows.
    ///
    /// - Parameter position: the journal's end at the last point of the same store, or 0.
    mutating func writeAll(since position: Int64) throws {
        let reader = reader
        buckets = [:]
        for table in StoreTable.backedUp {
            let isCompared = !Self.followed.contains(table.key)
            var digests: [Int64: UInt64] = [:]
            try writer.begin(table)
            try reader.forEachRow(table, Self.filter(table)) { row in
                if isCompared { BackupBuckets.add(row, of: table, to: &digests) }
                if table.key == "journal", try row.number("position", of: table) > position { note(row) }
                try add(row)
            }
            if isCompared { buckets[table.key] = digests }
        }
        try writer.finish()
    }

    /// Writes the rows that are new or another since the last point.
    mutating func writeChanges(since marks: BackupMarks) throws {
        let reader = reader
        var changed: Set<String> = []
        try write(.journal, .above("position", marks.journal)) { run, row in
            run.note(row)
            if let id = row.text("cube", of: .journal) { changed.insert(id) }
        }
        try write(.audit, .above("position", marks.audit))
        let ids = changed.sorted().map { StoredValue.text($0) }
        var cubes: [StoredValue] = []
        try write(.cube, "id", ids) { _, row in cubes.append(row.value("seq", of: .cube)) }
        try write(.named("claim"), "cube", cubes)
        try write(.named("link"), "source", ids)
        let vector = StoreTable.named("vector")
        try write(vector, "cube", cubes)
        // Those that were made since, of memories that did not change.
        let written = Set(cubes.map { if case .number(let seq) = $0 { seq } else { Int64(0) } })
        try reader.forEachRow(vector, .above("position", marks.vectors)) { row in
            if try !written.contains(row.number("cube", of: vector)) { try add(row) }
        }
        for table in StoreTable.backedUp where !Self.followed.contains(table.key) { try compare(table) }
        try writer.finish()
    }

    /// Writes the rows of those buckets of a table whose digest is another than at the last point.
    private mutating func compare(_ table: StoreTable) throws {
        let reader = reader
        var digests: [Int64: UInt64] = [:]
        try reader.forEachRow(table, Self.filter(table)) {
            BackupBuckets.add($0, of: table, to: &digests)
        }
        let former = buckets[table.key] ?? [:]
        let changed = Set(digests.keys).union(former.keys).filter { digests[$0] != former[$0] }
        buckets[table.key] = digests
        guard !changed.isEmpty else { return }
        try writer.begin(table, replacing: changed.sorted())
        try reader.forEachRow(table, Self.filter(table)) { row in
            if changed.contains(BackupBuckets.bucket(of: row, in: table)) { try add(row) }
        }
    }

    /// A memory that was never used has no row of its use.
    private static func filter(_ table: StoreTable) -> RowFilter {
        table.key == "use" ? .above("uses", 0) : .all
    }

    private mutating func write(
        _ table: StoreTable, _ filter: RowFilter, _ body: (inout Self, [StoredValue]) -> Void = { _, _ in }
    ) throws {
        let reader = reader
        try writer.begin(table)
        try reader.forEachRow(table, filter) { row in
            body(&self, row)
            try add(row)
        }
    }

    private mutating func write(
        _ table: StoreTable, _ column: String, _ values: [StoredValue],
        _ body: (inout Self, [StoredValue]) -> Void = { _, _ in }
    ) throws {
        let reader = reader
        try writer.begin(table)
        for start in stride(from: 0, to: values.count, by: Self.batch) {
            let some = Array(values[start..<min(values.count, start + Self.batch)])
            try reader.forEachRow(table, .among(column, some)) { row in
                body(&self, row)
                try add(row)
            }
        }
    }

    private mutating func add(_ row: [StoredValue]) throws {
        try writer.add(row)
        if writer.rows.isMultiple(of: 1_000) { progress(writer.rows) }
    }

    private mutating func note(_ entry: [StoredValue]) {
        guard entry.text("operation", of: .journal) == JournalEntry.Operation.erase.rawValue,
            let id = entry.text("cube", of: .journal)
        else { return }
        erased.insert(id)
    }
}

/// Buckets of rows that are compared as one: what is read whole need not be written whole.
enum BackupBuckets {
    /// Rows with one number as their key: those with neighbouring numbers. Others: by a hash of the
    /// key.
    static func bucket(of row: [StoredValue], in table: StoreTable) -> Int64 {
        if table.order.count == 1, case .number(let key) = row.value(table.order[0], of: table) {
            return key >> 7
        }
        return Int64(hash(table.order.map { row.value($0, of: table) }) & 255)
    }

    /// Adds a row to the digest of its bucket. The order of rows does not matter.
    static func add(_ row: [StoredValue], of table: StoreTable, to digests: inout [Int64: UInt64]) {
        digests[bucket(of: row, in: table), default: 0] &+= hash(row)
    }

    /// FNV-1a over the bytes of the values, mixed once more, as sums of it are compared.
    private static func hash(_ values: [StoredValue]) -> UInt64 {
        var bytes: [UInt8] = []
        for value in values { BackupSegment.append(value, to: &bytes) }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
        return hash ^ (hash >> 33)
    }
}
