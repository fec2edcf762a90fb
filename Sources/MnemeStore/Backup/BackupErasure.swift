import Foundation
import MnemeBase

/// Takes what was erased in a store out of the files of its backups.
///
/// The row of a memory stays, without anything of it but its id, owner and place: a store that is
/// put back to a moment before the erasure can erase it then as it was erased once, with an entry
/// of the journal. Its versions in the journal lose what erasing takes from them in a store.
struct BackupErasure {
    /// The tables in which something of a memory stands.
    static let tables: Set<String> = ["cube", "vector", "claim", "journal"]

    private let ids: Set<String>
    /// The rows' numbers of the memories, by which other tables name them.
    private var numbers: Set<Int64> = []
    /// The header of a memory that says nothing.
    static let blankHeader = CubeJSON(
        MemCube(
            scope: Scope(tenant: "", user: ""), type: .episodic, text: "", eventTime: Date(), recordedTime: Date(),
            provenance: Provenance(source: "erased"))
    ).header

    init(_ ids: Set<String>) { self.ids = ids }

    /// Looks for the memories' numbers.
    mutating func find(in segment: BackupSegment) throws {
        try segment.read(["cube"]) { row, table in
            if ids.contains(row.text("id", of: table) ?? "") { numbers.insert(try row.number("seq", of: table)) }
        }
    }

    /// A file without the memories, and how many rows it has lost; nil if it holds nothing of them.
    func rewritten(_ segment: BackupSegment) throws -> (data: Data, removed: Int)? {
        var isChanged = false
        var removed = 0
        var result = Data()
        var writer = BackupSegmentWriter(limit: nil) { data, _ in result = data }
        try segment.read(section: { try writer.begin($1, replacing: $0.buckets) }) { row, table in
            guard let next = try without(row, table) else {
                (isChanged, removed) = (true, removed + 1)
                return
            }
            if next != row { isChanged = true }
            try writer.add(next)
        }
        try writer.finish()
        return isChanged ? (result, removed) : nil
    }

    private func without(_ row: [StoredValue], _ table: StoreTable) throws -> [StoredValue]? {
        switch table.key {
        case "cube":
            guard ids.contains(row.text("id", of: table) ?? "") else { return row }
            let blank: [String: StoredValue] = [
                "text": .text(""), "speaker": .null, "header": .text(Self.blankHeader), "content_hash": .bytes(Data()),
                "analysis": .bytes(Data()), "activation": .null,
            ]
            return zip(table.columns, row).map { blank[$0] ?? $1 }
        case "vector", "claim":
            return numbers.contains(try row.number("cube", of: table)) ? nil : row
        case "journal": return Self.withoutText(row, of: ids)
        default: return row
        }
    }

    /// An entry of the journal as erasing leaves it, if it is of a memory or leads to one.
    static func withoutText(_ row: [StoredValue], of ids: Set<String>) -> [StoredValue] {
        guard ids.contains(row.text("cube", of: .journal) ?? "") || ids.contains(row.text("target", of: .journal) ?? "")
        else { return row }
        return zip(StoreTable.journal.columns, row).map { $0 == "payload" || $0 == "salt" ? .null : $1 }
    }
}
