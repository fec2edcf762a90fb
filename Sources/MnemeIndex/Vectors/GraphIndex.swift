import CMnemeKernels
public import MnemeNumerics
import NIOConcurrencyHelpers
import Synchronization

/// A proximity graph over 8-bit codes: each vector is linked to some near ones and a few further
/// away, and a search walks from link to link towards the query. A hundred thousand vectors are
/// answered by comparing one or two thousand.
///
/// One layer, built by insertion with robust pruning (Vamana, Subramanya et al. 2019), with deletes
/// that repair the links around them (FreshDiskANN, Singh et al. 2021). The best found are put in
/// order by four further bits of each component: 12 bits give the same ten as floats for 999 of
/// 1,000. A record of 384 components takes 776 bytes with its 46 links; floats and links of HNSW
/// take twice that.
///
/// Searches never wait: links change in place and atomically. Vectors are inserted on all threads
/// of the pool.
public final class GraphIndex: VectorIndex, @unchecked Sendable {
    // Sendable: the C functions read and write links atomically; `writer` admits one change at a
    // time, `lock` is held by searches, and taken whole only to give places free for use again,
    // when no search can be among them. Keys and slots are words, written whole.
    /// Elements of a vector.
    public let dimension: Int
    let layout: GraphLayout
    /// By slot: the record (codes, scale, edges), and the four further bits of each component.
    let records: Region<UInt8>, residuals: Region<UInt8>
    /// By slot: the key.
    let keys: Region<Int64>
    /// By slot, a bit: whether it is deleted or free.
    let dead: Region<UInt64>
    /// By key: its slot and one, or 0.
    let slots: Region<UInt32>
    /// Spin locks of the C functions, several slots to one.
    let locks: Region<UInt8>
    /// Slots that there is address space for. Changed by who holds `lock` to write.
    private(set) var capacity: Int
    let lock = ReadWriteLock(), writer = NIOLock()
    /// Slots taken, and those of them that are found.
    let used = Atomic<Int>(0), live = Atomic<Int>(0)
    /// The slot where searches begin; `UInt32.max` in an empty graph.
    let entry = Atomic<UInt32>(UInt32.max)
    /// The position in the journal.
    let reached = Atomic<Int64>(0)
    /// True if each key's slot is the key itself: sets of keys are then sets of slots.
    let isOrdered = Atomic<Bool>(true)
    /// Slots that nothing leads to, for use again.
    var free: [UInt32] = []
    /// Deleted, and still linked to.
    var deletedSlots: [UInt32] = []
    /// Sum of all vectors ever inserted: searches begin near their mean.
    var sum: [Float]
    /// Slots taken when ``entry`` was chosen.
    var entrySize = 0
    /// Memory for searches that run beside each other, used again.
    let scratches = NIOLockedValueBox<[GraphScratch]>([])
    /// The file that is mapped; nil for a graph that was made here.
    let file: IndexFile?
    let pool: ThreadPool
    let repairsItself: Bool

    /// Links are kept if none shorter covers them by this factor of distance; measured on
    /// sentences.
    static let alpha: Float = 1.1
    /// Candidates kept while looking for links.
    static let buildBeamWidth = 80
    /// Candidates kept while searching, by default.
    static let searchBeamWidth = 96
    /// The most vectors of a graph.
    static let maximumCount = 1 << 24
    /// Slots that there is address space for at first. It doubles with the graph, as systems may bound
    /// what all indexes of a process reserve.
    static let initialCapacity = 1 << 14

    /// An empty index.
    ///
    /// - Parameters:
    ///   - dimension: elements of a vector.
    ///   - pool: builds; nil takes the process's.
    ///   - repairsItself: ``apply(_:)`` repairs links when much was deleted; otherwise the caller calls
    ///     ``maintain()``.
    /// - Throws: ``IndexError`` for a dimension of 0 or over 8,192, or if the system gives no
    ///   address space.
    public init(dimension: Int, pool: ThreadPool? = nil, repairsItself: Bool = true) throws {
        try Vector.check(dimension: dimension)
        self.dimension = dimension
        self.pool = pool ?? .shared
        self.repairsItself = repairsItself
        layout = GraphLayout(dimension: dimension)
        capacity = Self.initialCapacity
        records = try Region(capacity: capacity * layout.stride)
        residuals = try Region(capacity: capacity * layout.residual)
        keys = try Region(capacity: capacity)
        dead = try Region(capacity: capacity / 64)
        slots = try Region(capacity: 1 << 16)
        locks = try Region(capacity: Int(MNK_GRAPH_LOCKS))
        sum = [Float](repeating: 0, count: dimension)
        file = nil
    }

    /// Opens what ``save(to:)`` wrote. The file is mapped, and read where searches go; only its
    /// keys are read at once.
    ///
    /// - Parameters:
    ///   - path: the file that it is written to.
    ///   - key: the key of a name in the file, or nil if that is gone, see
    ///     ``VectorIndex/save(to:name:)``.
    ///   - pool: builds; nil takes the process's.
    /// - Throws: ``IndexError``.
    /// - Complexity: O(vectors) for their keys, some milliseconds for a million.
    public convenience init(
        opening path: String, pool: ThreadPool? = nil, key: (Int) -> Int? = { $0 }
    ) throws {
        try self.init(
            file: IndexFile(opening: path, kind: .graph), value: 0, section: 0, pool: pool,
            repairsItself: true, key: key)
    }

    /// The part of a file that ``save(to:name:)`` writes: six values and five sections, from the
    /// ones given.
    init(
        file: IndexFile, value: Int, section: Int, pool: ThreadPool?, repairsItself: Bool,
        key: (Int) -> Int?
    ) throws {
        let damaged = IndexError(.corrupt, "\(file.path) is damaged. Delete it; it is made again.")
        let values = Array(file.values[value..<value + 6])
        let count = values[1]
        let entry = values[3]
        dimension = values[0]
        try Vector.check(dimension: dimension)
        layout = GraphLayout(dimension: dimension)
        guard (0...Self.maximumCount).contains(count), values[4] == layout.stride,
            values[5] == layout.degree,
            file.sections.count >= section + 5,
            file.isSound(section), file.isSound(section + 1), file.isSound(section + 2),
            count == 0 || (0..<count).contains(entry)
        else { throw damaged }
        self.pool = pool ?? .shared
        self.repairsItself = repairsItself
        self.file = file
        capacity = Self.capacity(for: count + count / 2)
        records = try Region(capacity: capacity * layout.stride)
        residuals = try Region(capacity: capacity * layout.residual)
        try file.map(section + 4, count: count * layout.stride, into: records)
        try file.map(section + 3, count: count * layout.residual, into: residuals)
        keys = try Region(capacity: capacity)
        try file.map(section, count: count, into: keys)
        dead = try Region(capacity: capacity / 64)
        try file.map(section + 1, count: (count + 63) / 64, into: dead)
        let sums = try Region<Float>(capacity: dimension)
        try file.map(section + 2, count: dimension, into: sums)
        sum = Array(UnsafeBufferPointer(start: sums.base, count: dimension))
        slots = try Region(capacity: max(1 << 16, count * 2))
        locks = try Region(capacity: Int(MNK_GRAPH_LOCKS))
        used.store(count, ordering: .relaxed)
        self.entry.store(count == 0 ? .max : UInt32(entry), ordering: .relaxed)
        reached.store(Int64(values[2]), ordering: .relaxed)
        entrySize = count
        var found = 0
        for slot in 0..<count {
            guard !isDead(slot), let key = key(Int(keys.base[slot])) else {
                mnk_set_bit(dead.base, UInt32(slot), 1)
                deletedSlots.append(UInt32(slot))
                continue
            }
            guard key >= 0, key < VectorLimits.keys else { throw damaged }
            try slots.grow(to: key + 1, used: slots.capacity)
            guard slots.base[key] == 0 else { throw damaged }
            slots.base[key] = UInt32(slot + 1)
            if keys.base[slot] != Int64(key) { keys.base[slot] = Int64(key) }
            if slot != key { isOrdered.store(false, ordering: .relaxed) }
            found += 1
        }
        live.store(found, ordering: .relaxed)
    }

    /// Slots to have address space for where so many are wanted: a multiple of 64, for ``dead``.
    private static func capacity(for wanted: Int) -> Int {
        min(maximumCount, max(initialCapacity, (wanted + 63) / 64 * 64))
    }

    /// Makes room for so many slots; the caller holds `writer`. Searches wait, for as long as moving
    /// pages takes.
    ///
    /// - Throws: ``IndexError`` if the system gives no address space, or it would be more than
    ///   ``maximumCount``.
    func reserve(_ wanted: Int) throws {
        guard wanted > capacity else { return }
        guard wanted <= Self.maximumCount else {
            throw IndexError(
                .full, "This graph holds at most \(Self.maximumCount) vectors. Use a clustered index.")
        }
        let (larger, used) = (Self.capacity(for: max(wanted, capacity * 2)), slotCount)
        try lock.write {
            // Where one fails the others have more room than is counted.
            try records.resize(to: larger * layout.stride, used: used * layout.stride)
            try residuals.resize(to: larger * layout.residual, used: used * layout.residual)
            try keys.resize(to: larger, used: used)
            try dead.resize(to: larger / 64, used: (used + 63) / 64)
            capacity = larger
        }
    }

    /// Tells whether the opened file is what was written; reads it all.
    public func verify() -> Bool {
        file.map { file in file.sections.indices.allSatisfy(file.isSound) } ?? true
    }

    /// Vectors that are found; deleted ones that still hold edges do not count.
    public var count: Int { live.load(ordering: .acquiring) }
    /// The journal's position.
    public var position: Int64 { reached.load(ordering: .acquiring) }
    /// Records, residuals and slots of keys; deleted ones take room until they are repaired around.
    public var footprint: IndexFootprint {
        IndexFootprint(
            memory: used.load(ordering: .relaxed) * (layout.stride + layout.residual + 8) + count
                * 4)
    }

    /// Slots taken, the dead among them.
    var slotCount: Int { used.load(ordering: .acquiring) }

    /// Tells whether a slot's vector was deleted; free slots are dead, too.
    func isDead(_ slot: Int) -> Bool { mnk_has_bit(dead.base, UInt32(slot)) != 0 }

    /// The graph as the C functions see it.
    func graph() -> mnk_graph {
        mnk_graph(
            records: records.base, stride: layout.stride, dimension: dimension,
            degree: layout.degree,
            count: UInt32(slotCount),
            entry: entry.load(ordering: .acquiring), dead: dead.base, locks: locks.base)
    }

    /// Runs `body` with memory for searching among `slotCount` records.
    func withScratch<R>(effort: Int, _ body: (GraphScratch) throws -> R) rethrows -> R {
        let scratch = scratches.withLockedValue { $0.popLast() } ?? GraphScratch()
        scratch.prepare(slots: slotCount, effort: effort)
        defer { scratches.withLockedValue { if $0.count < 64 { $0.append(scratch) } } }
        return try body(scratch)
    }

    // MARK: Saving

    /// One file. Deleted vectors are repaired around before, which overwrites them.
    public func save(to path: String, name: (Int) -> Int) throws {
        try withParts(name: name) {
            try IndexFile.write(path, kind: .graph, values: $0, sections: $1)
        }
    }

    /// Hands out the parts of the file, while nothing changes.
    func withParts(name: (Int) -> Int, _ body: ([Int], [UnsafeRawBufferPointer]) throws -> Void)
        throws
    {
        try writer.withLock {
            if !deletedSlots.isEmpty { repair() }  // which also overwrites what was deleted
            let count = slotCount
            let at = entry.load(ordering: .relaxed)
            let names = (0..<count).map { isDead($0) ? 0 : Int64(name(Int(keys.base[$0]))) }
            try sum.withUnsafeBytes { sum in
                try names.withUnsafeBytes { names in
                    try body(
                        [
                            dimension, count, Int(position), at == .max ? 0 : Int(at),
                            layout.stride, layout.degree,
                        ],
                        [
                            names, dead.bytes((count + 63) / 64), sum,
                            residuals.bytes(count * layout.residual),
                            records.bytes(count * layout.stride),
                        ])
                }
            }
        }
    }
}
