import Foundation
import MnemeBase

/// A point, and the series that its files lie in.
struct BackupPart {
    let series: BackupSeries, point: BackupPoint
    /// Memories whose rows it has, if it does not have those of all that its journal names; and those
    /// whose edges it has.
    var cubes: Set<String>?, sources: Set<String>?

    /// The rows that it has of a table.
    func read(
        _ table: StoreTable, section: (BackupSegment.Section) -> Void = { _ in }, row: ([StoredValue]) throws -> Void
    ) throws {
        try series.read(table, of: point, section: section, row: row)
    }
}

/// The rows of points that follow each other, as of the last one: read from there back to the first,
/// what a later point has stands for what an earlier one has of the same row.
///
/// From a whole copy on, they are the store as it was at the last point; of other points, what has
/// changed in all of them.
struct BackupReading {
    /// The points, the oldest first.
    private let points: [BackupPart]
    /// Memories that each point changed or erased, and those that any of them erased.
    private var changed: [Set<String>] = []
    private var erased: Set<String> = []
    /// Memories that were erased later.
    private let later: Set<String>
    /// Owners, and how often memories were used and when last, by their rows' numbers.
    private var owners: [StoredValue: Owner] = [:]
    private var uses: [Int64: [StoredValue]] = [:]
    /// Memories that each point wrote, by their numbers; and numbers of those that are gone.
    private var numbers: [Set<Int64>] = []
    private var gone: Set<Int64> = []
    /// Where the audit log begins.
    private var base: Int64 = 0
    /// Rows written, and memories among them.
    private(set) var rows = 0, memories = 0
    /// Memories that were erased later and are written.
    private(set) var erasedLater: [(owner: Owner, id: CubeID)] = []

    /// Reads which memories the points changed.
    ///
    /// - Parameters:
    ///   - points: points that follow each other, the oldest first.
    ///   - later: memories that were erased after the last of them.
    init(_ points: [BackupPart], later: Set<String> = []) throws {
        (self.points, self.later) = (points, later)
        numbers = points.map { _ in [] }
        for part in points {
            var (some, gone): (Set<String>, Set<String>) = ([], [])
            // All of the whole copy's memories are its own.
            if !part.point.isWhole {
                try part.read(.journal) { row in
                    if let id = row.text("cube", of: .journal) { some.insert(id) }
                    if let id = Self.erasure(row) { gone.insert(id) }
                }
            }
            changed.append(part.cubes ?? some)
            erased.formUnion(gone)
        }
    }

    /// Writes all tables, those first that others refer to.
    mutating func write(to writer: any StoreTableWriter, _ progress: (Int) -> Void) throws {
        try fold(.use) { reading, row in
            let seq = try row.number("seq", of: .use)
            reading.uses[seq] = Array(row.dropFirst())
        }
        try findBase()
        for table in StoreTable.all {
            try fold(table) { reading, row in
                guard let row = try reading.finished(row, table) else { return }
                try writer.insert(row, into: table)
                reading.rows += 1
                if table.key == "cube" { reading.memories += 1 }
                if reading.rows.isMultiple(of: 1_000) { progress(reading.rows) }
            }
        }
    }

    /// Writes the rows as those of one point, which restores the same as all of them.
    mutating func merge(to writer: inout BackupSegmentWriter) throws {
        try findBase()
        for table in StoreTable.backedUp {
            try writer.begin(table)
            let buckets = try fold(table) { reading, row in
                switch table.key {
                case "audit" where try row.number("position", of: table) <= reading.base: return
                case "journal": try writer.add(BackupErasure.withoutText(row, of: reading.erased))
                default: try writer.add(row)
                }
            }
            if points.first?.point.isWhole == false, !buckets.isEmpty { writer.replace(buckets.sorted()) }
        }
        try writer.finish()
    }

    /// Looks where the audit log begins.
    private mutating func findBase() throws {
        let table = StoreTable.named("audit_base")
        try fold(table) { reading, row in
            let position = try row.number("position", of: table)
            reading.base = max(reading.base, position)
        }
    }

    /// Hands over the rows of a table that stand at the end. Memories must come before what names
    /// them by their numbers.
    ///
    /// - Returns: the buckets of which all rows were handed over.
    @discardableResult
    mutating func fold(
        _ table: StoreTable, _ body: (inout Self, [StoredValue]) throws -> Void
    ) throws -> Set<Int64> {
        let isFollowed = ["cube", "vector", "claim", "link"].contains(table.key)
        if table.key == "cube" { numbers = points.map { _ in [] } }
        var (buckets, ids, seqs): (Set<Int64>, Set<String>, Set<Int64>) = ([], [], [])
        // What is only added to comes in its order.
        let isAdded = ["journal", "audit"].contains(table.key)
        for i in isAdded ? Array(points.indices) : points.indices.reversed() {
            var (replaced, written): ([Int64], [Int64]) = ([], [])
            let part = points[i]
            try part.read(table, section: { replaced += $0.buckets ?? [] }) { row in
                switch table.key {
                case "cube":
                    let seq = try row.number("seq", of: table)
                    guard !ids.contains(row.text("id", of: table) ?? "") else {
                        // In a store that was restored a number may have come to another memory since.
                        let isFree = !numbers.contains { $0.contains(seq) }
                        if isFree, erased.contains(row.text("id", of: table) ?? "") { gone.insert(seq) }
                        return
                    }
                    numbers[i].insert(seq)
                case "vector", "claim":
                    let seq = try row.number("cube", of: table)
                    guard !seqs.contains(seq), !gone.contains(seq) else { return }
                    written.append(seq)
                case "link":
                    guard !ids.contains(row.text("source", of: table) ?? ""),
                        !erased.contains(row.text("target", of: table) ?? "")
                    else { return }
                case "journal", "audit": break
                default:
                    guard buckets.isEmpty || !buckets.contains(BackupBuckets.bucket(of: row, in: table)) else { return }
                }
                try body(&self, row)
            }
            buckets.formUnion(replaced)
            if isFollowed {
                ids.formUnion(table.key == "link" ? part.sources ?? changed[i] : changed[i])
                seqs.formUnion(written)
                // What a memory claimed before it changed holds no more.
                if i > points.startIndex { seqs.formUnion(numbers[i]) }
            }
        }
        return buckets
    }

    /// A row as it is written; nil if it is not.
    private mutating func finished(_ row: [StoredValue], _ table: StoreTable) throws -> [StoredValue]? {
        switch table.key {
        case "owner":
            if let tenant = row.text("tenant", of: table), let user = row.text("user", of: table) {
                owners[row.value("id", of: table)] = Owner(tenant: tenant, user: user)
            }
            return row
        case "cube":
            if let id = row.text("id", of: table), later.contains(id),
                let owner = owners[row.value("owner", of: table)]
            {
                erasedLater.append((owner, CubeID(stored: id)))
            }
            var row = row
            let use = uses[try row.number("seq", of: table)] ?? [.number(0), .null]
            (row[table.index("uses")], row[table.index("last_used")]) = (use[0], use[1])
            return row
        case "journal": return BackupErasure.withoutText(row, of: erased)
        case "audit": return try row.number("position", of: table) > base ? row : nil
        default: return row
        }
    }

    /// The memory that an entry of the journal says was erased; nil for other entries.
    static func erasure(_ row: [StoredValue]) -> String? {
        row.text("operation", of: .journal) == JournalEntry.Operation.erase.rawValue
            ? row.text("cube", of: .journal) : nil
    }
}
