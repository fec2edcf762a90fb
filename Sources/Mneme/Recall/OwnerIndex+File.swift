import Foundation
import Logging
import MnemeIndex
import MnemeSeal
import MnemeStore

/// The file that keeps an index's tables between runs. It is derived from the store: what is
/// missing, damaged, of another store or another version is made again.
extension OwnerIndex {
    /// The layout of the file; another one is not read.
    private static let format = 2

    /// Numbers at the file's beginning: layout, version of the analysis, journal position, and a
    /// hash of the journal's entry there.
    private enum Value: Int { case format, analysis, position, mark }

    /// Takes over the tables of a file, if they belong to the store's journal.
    mutating func readTables(_ path: String, _ key: DataKey?, _ store: any MemoryStore) {
        guard let position = Self.savedPosition(at: path, key, owner: owner, store) else { return }
        do {
            var opened = self
            var reader = try TableReader(opening: path, dataKey: key)
            try opened.takeTables(from: &reader)
            guard opened.position == position else { return }
            self = opened
        } catch {
            Logger(label: "mneme").notice(
                "an index's file is not used; it is made again", metadata: ["error": "\(error)"])
            unlink(path)
        }
    }

    /// The journal position of a file that ``readTables(_:_:_:)`` would take; nil if there is none.
    static func savedPosition(
        at path: String, _ key: DataKey?, owner: Owner, _ store: any MemoryStore
    ) -> Int64? {
        guard let values = TableReader.values(at: path, dataKey: key),
            values[Value.format.rawValue] == format,
            values[Value.analysis.rawValue] == hash(Analysis.version)
        else { return nil }
        let position = Int64(values[Value.position.rawValue])
        guard let mark = try? store.journalMark(at: position, owner: owner),
            hash(mark) == values[Value.mark.rawValue]
        else { return nil }
        return position
    }

    /// Writes the tables.
    ///
    /// - Parameter limit: the bytes that the file may take; a larger one is not written.
    /// - Returns: whether it was written.
    /// - Throws: `IndexError`, `StoreError`.
    func writeTables(
        to path: String, _ key: DataKey?, _ store: any MemoryStore, limit: Int
    ) throws -> Bool {
        guard let mark = try store.journalMark(at: position, owner: owner) else { return false }
        var writer = TableWriter()
        try addTables(to: &writer)
        guard writer.byteCount <= limit else { return false }
        try writer.write(
            to: path,
            values: [Self.format, Self.hash(Analysis.version), Int(position), Self.hash(mark)],
            dataKey: key)
        return true
    }

    /// Brings tables that were read from a file to where another index is, and takes over its
    /// vectors.
    ///
    /// - Returns: false if the two did not come to the same documents; then this one is of no use.
    mutating func catchUpTables(with other: OwnerIndex, from source: Source) throws -> Bool {
        var changes = try source.changes(since: position, vectorsSince: other.vectorPosition)
        // The other index has the vectors.
        for i in changes.rows.indices { changes.rows[i].vector = nil }
        changes.vectorPosition = other.vectorPosition
        _ = try apply(changes, from: source)
        guard position == other.position, names.count == other.names.count,
            names.withElements({ mine in other.names.withElements { mine.elementsEqual($0) } })
        else { return false }
        takeVectors(of: other)
        return true
    }

    private static func hash(_ text: String) -> Int { Int(TermCounts.wideHash(text) >> 1) }
}
