import CMnemeKernels
import Foundation
import MnemeNumerics
import NIOConcurrencyHelpers

/// An index for more vectors than memory holds: they lie in short lists on disk, each around a
/// centroid, and only the centroids are in memory (SPANN, Chen et al. 2021).
///
/// A vector is in the lists of several centroids if it lies between them (closure assignment with
/// the rule of relative neighbourhood), so that few lists need be read. A search reads the lists of
/// the nearest centroids, fewer the more clearly one is nearest, all side by side. A list that is
/// full is cut in two and what lies around is looked at again; one that is nearly empty is given
/// away to others (SPFresh, Xu et al. 2023).
///
/// `path` is the table, `path.postings` the lists. The lists may be ahead of the table after a
/// crash: what it names is intact, and the rest is applied again from the journal. One process at a
/// time may open it.
public final class ClusteredIndex: VectorIndex, @unchecked Sendable {
    // Sendable: `table` and `names` guard what searches read; `writer` admits one change at a time.
    /// Elements of a vector; a file is of one dimension.
    public let dimension: Int
    /// The table's file.
    public let path: String
    /// How a vector's codes and residual lie in an entry.
    let layout: GraphLayout
    let lists: PostingFile
    /// The centroids, by the number of their list.
    let centroids: GraphIndex

    /// Where the lists lie. Searches read it while one change at a time writes.
    struct Table {
        /// By number of the centroid.
        var places: [PostingFile.Place] = []
        /// Numbers that no centroid has.
        var vacant: [Int] = []
    }

    /// Which key a vector has, and where it is. Keys can change from run to run, numbers on disk do
    /// not; a replaced vector gets another number.
    struct Names {
        /// By the vector's number on disk: its key, or −1; the list that it is surely in; and how
        /// many hold it.
        var keys: [Int32] = []
        var homes: [UInt32] = []
        var copies: [UInt8] = []
        /// By key: its number and one, or 0.
        var numbers: [UInt32] = []
        /// Keys that are found.
        var count = 0
        /// Numbers that no vector has.
        var free: [UInt32] = []
        /// Free once the table is saved: until then a search may still come from an old list.
        var waiting: [UInt32] = []

        /// The number of a key that is found.
        func number(_ key: Int) -> UInt32? {
            key >= 0 && key < numbers.count && numbers[key] > 0 ? numbers[key] - 1 : nil
        }
    }
    let table = NIOLockedValueBox(Table()), names = NIOLockedValueBox(Names())
    /// The position in the journal.
    let reached = NIOLockedValueBox<Int64>(0)
    let writer = NIOLock()
    /// Lists that searches have read, and their pages of 4 KiB.
    let reads = NIOLockedValueBox((lists: 0, pages: 0))

    /// Entries of a list, at most.
    static let listLimit = 64
    /// Lists that hold a vector, at most, how much further than the nearest their centroids may be,
    /// and how much nearer to each other than to the vector; measured on sentences. Distances are 1
    /// − similarity.
    static let copyLimit = 6, closure: Float = 1.4, spread: Float = 1.5
    /// Lists read by default, and how much further than the nearest a centroid's may be.
    static let searchEffort = 64, pruning: Float = 1.7

    /// Bytes of an entry, see `ClusteredIndex+Entries.swift`.
    static func stride(_ layout: GraphLayout) -> Int {
        (layout.codes + 8 + layout.residual + 15) / 16 * 16
    }

    /// Bytes on disk that so many vectors will take, about: measured on sentences, five and a half
    /// entries each with the room to grow.
    static func estimatedBytes(_ count: Int, dimension: Int) -> Int {
        count * stride(GraphLayout(dimension: dimension)) * 11 / 2
    }

    /// A new index at `path`; what was there is replaced.
    ///
    /// - Throws: ``IndexError``.
    public init(path: String, dimension: Int) throws {
        try Vector.check(dimension: dimension)
        self.dimension = dimension
        self.path = path
        layout = GraphLayout(dimension: dimension)
        lists = try PostingFile(
            path: path + ".postings", stride: Self.stride(layout), entries: Self.listLimit,
            slotCount: nil)
        try? FileManager.default.removeItem(atPath: path)
        centroids = try GraphIndex(dimension: dimension)
    }

    /// Opens what ``save(to:name:)`` wrote at `path`.
    ///
    /// - Parameters:
    ///   - path: the file that it is written to.
    ///   - key: the key of a name in the file, or nil if that is gone.
    /// - Throws: ``IndexError``, also if another process has it open.
    public init(opening path: String, key: (Int) -> Int? = { $0 }) throws {
        let file = try IndexFile(opening: path, kind: .clustered)
        let damaged = IndexError(.corrupt, "\(path) is damaged. Delete it; it is made again.")
        guard (0..<5).allSatisfy({ $0 < file.sections.count && file.isSound($0) }) else {
            throw damaged
        }
        self.path = path
        dimension = file.values[0]
        try Vector.check(dimension: dimension)
        layout = GraphLayout(dimension: dimension)
        let total = file.values[1]
        let placeCount = file.values[3]
        let slotCount = file.values[4]
        let freeCount = file.values[5]
        guard (0..<VectorLimits.keys).contains(total), (0..<VectorLimits.keys).contains(placeCount),
            (0..<VectorLimits.keys).contains(slotCount),
            (0...slotCount).contains(freeCount)
        else { throw damaged }
        func array<T: BitwiseCopyable>(_ section: Int, _ count: Int, _: T.Type) throws -> [T] {
            let region: Region<T> = try file.region(section, count: count, capacity: count)
            return Array(UnsafeBufferPointer(start: region.base, count: count))
        }
        let places = try array(0, placeCount * 6, UInt32.self)
        let titles = try array(1, total, Int64.self)
        var table = Table()
        var names = Names()
        table.places = (0..<placeCount).map { i in
            PostingFile.Place(
                slot: places[i * 6], count: places[i * 6 + 1],
                checksum: SIMD4(
                    places[i * 6 + 2], places[i * 6 + 3], places[i * 6 + 4], places[i * 6 + 5]))
        }
        guard
            table.places.allSatisfy({
                $0.count == 0 || $0.slot < slotCount && $0.count <= Self.listLimit
            })
        else {
            throw damaged
        }
        names.homes = try array(2, total, UInt32.self)
        names.copies = try array(3, total, UInt8.self)
        guard names.homes.allSatisfy({ $0 < max(1, placeCount) }) else { throw damaged }
        let free = try array(4, freeCount, UInt32.self)
        guard free.allSatisfy({ $0 < slotCount }) else { throw damaged }
        var gone: [UInt32] = []
        names.keys = [Int32](repeating: -1, count: total)
        for number in 0..<total {
            guard titles[number] >= 0 else {
                names.free.append(UInt32(number))
                continue
            }
            guard let key = key(Int(titles[number])) else {
                gone.append(UInt32(number))
                continue
            }
            guard key >= 0, key < VectorLimits.keys else { throw damaged }
            if key >= names.numbers.count {
                names.numbers.append(
                    contentsOf: repeatElement(
                        0, count: max(key + 1 - names.numbers.count, names.numbers.count)))
            }
            guard names.numbers[key] == 0 else { throw damaged }
            names.numbers[key] = UInt32(number + 1)
            names.keys[number] = Int32(key)
            names.count += 1
        }
        let centroids = try GraphIndex(
            file: file, value: 8, section: 5, pool: nil, repairsItself: true
        ) {
            $0 < placeCount ? $0 : nil
        }
        guard centroids.dimension == dimension else { throw damaged }
        self.centroids = centroids
        table.vacant = (0..<placeCount).filter { !centroids.contains($0) }
        lists = try PostingFile(
            path: path + ".postings", stride: Self.stride(layout), entries: Self.listLimit,
            slotCount: slotCount,
            free: free)
        reached.withLockedValue { $0 = Int64(file.values[2]) }
        self.table.withLockedValue { $0 = table }
        self.names.withLockedValue { $0 = names }
        if !gone.isEmpty { try writer.withLock { try remove(gone) } }
    }

    /// Tells whether every list is what the table says; reads them all.
    public func verify() -> Bool {
        table.withLockedValue { $0.places.indices.map { $0 } }.allSatisfy {
            (try? withList($0) { _, _ in true }) ?? false
        }
    }

    /// Keys that are found, however many lists hold them.
    public var count: Int { names.withLockedValue { $0.count } }
    /// The journal's position; that of the file until the first change.
    public var position: Int64 { reached.withLockedValue { $0 } }
    /// Centroids in memory.
    public var centroidCount: Int { centroids.count }
    /// Centroids and names in memory, lists on disk with the room to grow.
    public var footprint: IndexFootprint {
        let vectors = names.withLockedValue { $0.keys.count * 9 + $0.numbers.count * 4 }
        return IndexFootprint(
            memory: centroids.footprint.memory + vectors
                + table.withLockedValue { $0.places.count * 32 },
            disk: lists.byteCount)
    }
    /// Forgets what the system keeps of the lists in memory, to measure reading from disk.
    public func dropCaches() { lists.dropCaches() }
    /// Lists and pages of 4 KiB read by searches so far.
    public var readCount: (lists: Int, pages: Int) { reads.withLockedValue { $0 } }

    // MARK: Saving

    /// Writes the table, after the lists that it names. At another path than its own, the lists are
    /// copied.
    public func save(to path: String, name: (Int) -> Int) throws {
        try writer.withLock {
            try lists.synchronize()
            let isOwn = path == self.path && lists.isInPlace
            if !isOwn { try lists.copy(to: path + ".postings") }
            let (places, names) = (
                table.withLockedValue { $0.places }, names.withLockedValue { $0 }
            )
            let free = lists.freeSlots
            let flat = places.flatMap {
                [$0.slot, $0.count, $0.checksum[0], $0.checksum[1], $0.checksum[2], $0.checksum[3]]
            }
            let titles = names.keys.map { $0 < 0 ? -1 : Int64(name(Int($0))) }
            try centroids.withParts(name: { $0 }) { values, sections in
                try flat.withUnsafeBytes { flat in
                    try titles.withUnsafeBytes { titles in
                        try names.homes.withUnsafeBytes { homes in
                            try names.copies.withUnsafeBytes { copies in
                                try free.withUnsafeBytes { free in
                                    try IndexFile.write(
                                        path, kind: .clustered,
                                        values: [
                                            dimension, names.keys.count, Int(position),
                                            places.count, lists.slotCount,
                                            free.count / 4, 0, 0,
                                        ] + values,
                                        sections: [flat, titles, homes, copies, free] + sections)
                                }
                            }
                        }
                    }
                }
            }
            guard isOwn else { return }
            lists.tableWasSaved()
            self.names.withLockedValue { names in
                names.free.append(contentsOf: names.waiting)
                names.waiting = []
            }
        }
    }
}
