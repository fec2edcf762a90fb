import Foundation
import Logging
import MnemeBase
import MnemeIndex
import MnemeSeal
import MnemeStore

/// The files that keep an index's tables between runs: segments, each of which has what came behind the
/// one before. The first has all that there was, and is the only one of a small index. Files never
/// change; several of the last ones are written as one in place of the first of them
/// (`SegmentMerge.swift`). All are derived from the store: what is missing, damaged, of another store or
/// another version is made again.
///
/// Each segment has a mark, and that of the segment that it follows upon: the first that does not fit ends
/// the row. So one renaming puts a merged segment in place of several, and whoever is killed on the way
/// leaves the former row or the new one; what belongs to neither is removed by the next who looks.
extension OwnerIndex {
    /// The layout of the files; another one is not read.
    private static let format = 5
    /// More segments than merging ever leaves.
    static let maximumSegments = 60

    /// Numbers at a file's beginning: layout, version of the analysis, journal position, a hash of the
    /// journal's entry there, the segment's mark, and that of the one before.
    private enum Value: Int { case format, analysis, position, mark, own, former }

    /// What an owner's files have.
    struct Saved {
        /// The marks of the segments.
        var marks: [Int] = []
        /// The journal position that each has reached.
        var positions: [Int64] = []
        /// That of the last, with the mark of the journal's entry.
        var reached = FeedPosition.start
    }

    /// Where a segment of the tables at a path lies.
    static func segmentFile(_ segment: Int, of path: String) -> String {
        segment == 0 ? path : (path as NSString).deletingPathExtension + ".\(segment).tables"
    }

    /// Removes a segment and those behind it; 0 removes all tables.
    static func removeTables(at path: String, since segment: Int = 0) {
        for place in (segment..<maximumSegments).reversed() { unlink(segmentFile(place, of: path)) }
    }

    /// Removes the segments that have something of some memories, and those behind them, as their tables
    /// are here.
    func removeSegments(of erased: [CubeID], at path: String) {
        if segmentMarks.isEmpty {
            Self.removeTables(at: path)
        } else if let segment = segment(holding: erased) {
            Self.removeTables(at: path, since: segment)
        }
    }

    /// Takes over the tables of the files, as far as they belong to the store's journal and are sound.
    mutating func readTables(_ path: String, _ key: DataKey?, _ store: any MemoryStore) {
        guard var saved = Self.savedPosition(at: path, key, owner: owner, store) else { return }
        while !saved.marks.isEmpty {
            // Nothing else refers to the tables while a segment is put upon them: they would be copied.
            var opened = self
            let damaged = opened.take(saved, path, key)
            guard let damaged else {
                self = opened
                return
            }
            // What comes behind it is of no use without it.
            let count = damaged
            saved.marks.removeLast(saved.marks.count - count)
            saved.positions.removeLast(saved.positions.count - count)
            saved.reached.mark = nil
        }
    }

    /// Takes in all segments.
    ///
    /// - Returns: nil, or the first that could not be; then this is of no use.
    private mutating func take(_ saved: Saved, _ path: String, _ key: DataKey?) -> Int? {
        for (place, mark) in saved.marks.enumerated() {
            let file = Self.segmentFile(place, of: path)
            do {
                var reader = try TableReader(opening: file, dataKey: key)
                // Another may have come in its place meanwhile.
                guard reader.values[Value.own.rawValue] == mark else { return place }
                try takeTables(from: &reader)
            } catch {
                Logger(label: "mneme").notice(
                    "an index's file is not used; it is made again", metadata: ["error": "\(error)"])
                Self.removeTables(at: path, since: place)
                return place
            }
        }
        (segmentMarks, filedPosition) = (saved.marks, reached.journal)
        findHidden()
        // The mark of its own entry is that of the last alone.
        reached.mark = saved.reached.journal == reached.journal ? saved.reached.mark : nil
        return nil
    }

    /// What the files that ``readTables(_:_:_:)`` would take have; nil if there are none.
    ///
    /// Segments that follow upon no other are removed: what was erased since may be in them.
    static func savedPosition(
        at path: String, _ key: DataKey?, owner: Owner, _ store: any MemoryStore
    ) -> Saved? {
        var saved = Saved()
        while saved.marks.count < maximumSegments {
            let file = segmentFile(saved.marks.count, of: path)
            guard access(file, F_OK) == 0, let values = TableReader.values(at: file, dataKey: key),
                values[Value.format.rawValue] == format,
                values[Value.analysis.rawValue] == hash(Analysis.version),
                values[Value.former.rawValue] == saved.marks.last ?? 0
            else { break }
            let position = Int64(values[Value.position.rawValue])
            guard let mark = try? store.journalMark(at: position, owner: owner),
                hash(mark) == values[Value.mark.rawValue]
            else { break }
            saved.marks.append(values[Value.own.rawValue])
            saved.positions.append(position)
            saved.reached = FeedPosition(position, mark: mark)
        }
        for place in max(1, saved.marks.count)..<maximumSegments {
            let file = segmentFile(place, of: path)
            if access(file, F_OK) == 0 { unlink(file) }
        }
        return saved.marks.isEmpty ? nil : saved
    }

    /// The journal's position that a file of tables or vectors was written at.
    ///
    /// - Returns: nil if it cannot be read as such, or is of another journal than the store's.
    /// - Throws: `StoreError`.
    static func journalPosition(
        of file: String, _ key: DataKey?, owner: Owner, _ store: any MemoryStore
    ) throws -> Int64? {
        let reached: (journal: Int64, mark: Int)
        if file.hasSuffix(".vectors") {
            guard let saved = TieredIndex.saved(at: file, dataKey: key) else { return nil }
            reached = (saved.journal, saved.mark)
        } else {
            guard let values = TableReader.values(at: file, dataKey: key),
                values[Value.format.rawValue] == format
            else { return nil }
            reached = (Int64(values[Value.position.rawValue]), values[Value.mark.rawValue])
        }
        guard let mark = try store.journalMark(at: reached.journal, owner: owner), hash(mark) == reached.mark
        else { return nil }
        return reached.journal
    }

    /// The position of a file of vectors, if its journal is the store's; nil if there is none.
    static func savedVectors(
        at path: String, _ key: DataKey?, owner: Owner, _ store: any MemoryStore
    ) -> Int64? {
        guard let saved = TieredIndex.saved(at: path, dataKey: key),
            let mark = try? store.journalMark(at: saved.journal, owner: owner), hash(mark) == saved.mark
        else { return nil }
        return saved.position
    }

    /// Writes the vectors, with the journal's entry that they belong to.
    ///
    /// - Throws: `IndexError`, `StoreError`.
    func writeVectors(to path: String, _ store: any MemoryStore) throws {
        guard let vectors = vectors as? TieredIndex,
            let mark = try store.journalMark(at: position, owner: owner)
        else { return }
        let names = names.array
        try vectors.save(to: path, journal: position, mark: Self.hash(mark)) {
            $0 < names.count ? names[$0] : 0
        }
    }

    /// Where files lie that parts of a large segment come into while it is made. What is encrypted stays
    /// in memory.
    var spillFolder: String? { indexKey == nil ? tableFile.map { parent(of: $0) } : nil }

    /// Makes a segment of what some have, and what is in none.
    ///
    /// - Parameters:
    ///   - segment: the first of these, at most ``soundSegments``; 0 takes in all.
    ///   - isCopying: whether the index may change before it is written.
    /// - Returns: nil if the journal has no entry where the index stands.
    /// - Throws: `StoreError`.
    func segment(
        since segment: Int, _ store: any MemoryStore, isCopying: Bool = false
    ) throws -> WrittenSegment? {
        guard let entry = try store.journalMark(at: position, owner: owner) else { return nil }
        var writer = TableWriter(isCopying: isCopying, spillingTo: spillFolder)
        try addTables(to: &writer, since: segment)
        let former = segment == 0 ? 0 : segmentMarks[segment - 1]
        return WrittenSegment(
            place: segment, position: position, tables: writer,
            values: [
                Self.format, Self.hash(Analysis.version), Int(position), Self.hash(entry),
                Int.random(in: 1 ... .max), former,
            ])
    }

    /// A segment that is on its way to its file.
    struct WrittenSegment {
        /// Its place among all.
        let place: Int
        /// The journal position that it reaches.
        let position: Int64
        fileprivate let tables: TableWriter, values: [Int]

        /// Bytes of the file, about.
        var byteCount: Int { tables.byteCount }

        /// Writes it in the place of what it has, and removes what is behind.
        ///
        /// - Parameter path: of the first segment.
        /// - Throws: `IndexError`.
        func write(to path: String, _ key: DataKey?) throws {
            try tables.write(to: segmentFile(place, of: path), values: values, dataKey: key)
            OwnerIndex.removeTables(at: path, since: place + 1)
        }
    }

    /// Brings tables that were read from a file to where another index is, and takes over its
    /// vectors.
    ///
    /// - Parameter changes: since where the tables are; the other index has applied them.
    /// - Returns: false if the two did not come to the same documents; then this one is of no use.
    mutating func catchUpTables(
        _ changes: IndexChanges, with other: OwnerIndex, from source: Source
    ) throws -> Bool {
        var changes = changes
        // The other index has the vectors.
        for i in changes.rows.indices { changes.rows[i].vector = nil }
        _ = try apply(changes, from: source)
        guard position == other.position, names.count == other.names.count,
            names.withElements({ mine in other.names.withElements { mine.elementsEqual($0) } })
        else { return false }
        takeVectors(of: other)
        return true
    }

    private static func hash(_ text: String) -> Int { Int(TermCounts.wideHash(text) >> 1) }
}
