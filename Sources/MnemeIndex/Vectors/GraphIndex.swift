import CMnemeKernels
public import MnemeNumerics
import NIOConcurrencyHelpers
import Synchronization

/// A proximity graph over 8-bit codes: each vector is linked to some near ones and a few further
/// away, and a search walks from link to link towards the query. A hundred thousand vectors are
/// answered by comparing one or two thousand.
///
/// One layer, built by insertion with robust pruning (Vamana, Subramanya et al. 2019), with deletes
/// that mend the links around them (FreshDiskANN, Singh et al. 2021). The best found are put in
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
    public let dimension: Int
    private let layout: GraphLayout
    private let records: Region<UInt8>, residuals: Region<UInt8>, keys: Region<Int64>,
        dead: Region<UInt64>
    /// By key: its slot and one, or 0.
    private let slots: Region<UInt32>
    private let locks: Region<UInt8>
    private let capacity: Int
    private let lock = ReadWriteLock(), writer = NIOLock()
    private let used = Atomic<Int>(0), live = Atomic<Int>(0), entry = Atomic<UInt32>(UInt32.max),
        reached = Atomic<Int64>(0)
    /// Whether each key's slot is the key itself: sets of keys are then sets of slots.
    private let isOrdered = Atomic<Bool>(true)
    /// Slots that nothing leads to, for use again.
    private var free: [UInt32] = []
    /// Deleted, and still linked to.
    private var buried: [UInt32] = []
    /// Sum of all vectors ever inserted: searches begin near their mean.
    private var sum: [Float]
    private var entrySize = 0
    private let scratches = NIOLockedValueBox<[GraphScratch]>([])
    private let file: IndexFile?
    private let pool: ThreadPool
    private let mendsItself: Bool

    /// Links are kept if none shorter covers them by this factor of distance; measured on
    /// sentences.
    static let alpha: Float = 1.1
    /// Candidates kept while looking for links.
    static let buildEffort = 80
    /// Candidates kept while searching, by default.
    static let searchEffort = 96
    /// The most vectors of a graph.
    static let maximumCount = 1 << 24

    /// An empty index.
    ///
    /// - Parameters:
    ///   - pool: builds; nil takes the process's.
    ///   - mendsItself: ``apply(_:)`` mends links when much was deleted; otherwise the caller calls
    ///     ``maintain()``.
    /// - Throws: ``IndexError`` for a dimension of 0 or over 8,192, or if the system gives no
    ///   address space.
    public init(dimension: Int, pool: ThreadPool? = nil, mendsItself: Bool = true) throws {
        try Vector.check(dimension: dimension)
        self.dimension = dimension
        self.pool = pool ?? .shared
        self.mendsItself = mendsItself
        layout = GraphLayout(dimension: dimension)
        let room = try Self.reserve(layout, atLeast: 0)
        (capacity, records, residuals) = (room.capacity, room.records, room.residuals)
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
            mendsItself: true, key: key)
    }

    /// The part of a file that ``save(to:name:)`` writes: six values and five sections, from the
    /// ones given.
    init(
        file: IndexFile, value: Int, section: Int, pool: ThreadPool?, mendsItself: Bool,
        key: (Int) -> Int?
    ) throws {
        let damaged = IndexError(.corrupt, "\(file.path) is damaged. Delete it; it is made again.")
        let values = Array(file.values[value..<value + 6]), count = values[1], entry = values[3]
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
        self.mendsItself = mendsItself
        self.file = file
        let room = try Self.reserve(layout, atLeast: count)
        (capacity, records, residuals) = (room.capacity, room.records, room.residuals)
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
                buried.append(UInt32(slot))
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

    /// Address space for the largest graph; systems that bound it give less.
    private static func reserve(_ layout: GraphLayout, atLeast count: Int) throws -> (
        capacity: Int, records: Region<UInt8>, residuals: Region<UInt8>
    ) {
        var capacity = maximumCount
        while true {
            do {
                return (
                    capacity, try Region(capacity: capacity * layout.stride),
                    try Region(capacity: capacity * layout.residual)
                )
            } catch {
                guard capacity / 2 >= count + 65_536 else { throw error }
                capacity /= 2
            }
        }
    }

    /// Whether the opened file is what was written; reads it all.
    public func verify() -> Bool {
        file.map { file in file.sections.indices.allSatisfy(file.isSound) } ?? true
    }

    public var count: Int { live.load(ordering: .acquiring) }
    public var position: Int64 { reached.load(ordering: .acquiring) }
    public var footprint: IndexFootprint {
        IndexFootprint(
            memory: used.load(ordering: .relaxed) * (layout.stride + layout.residual + 8) + count
                * 4)
    }

    /// Slots taken, the dead among them.
    private var slotCount: Int { used.load(ordering: .acquiring) }

    private func isDead(_ slot: Int) -> Bool { mnk_has_bit(dead.base, UInt32(slot)) != 0 }

    /// The graph as the C functions see it.
    private func graph() -> mnk_graph {
        mnk_graph(
            records: records.base, stride: layout.stride, dimension: dimension,
            degree: layout.degree,
            count: UInt32(slotCount),
            entry: entry.load(ordering: .acquiring), dead: dead.base, locks: locks.base)
    }

    /// Runs `body` with memory for searching among `slotCount` records.
    private func withScratch<R>(effort: Int, _ body: (GraphScratch) throws -> R) rethrows -> R {
        let scratch = scratches.withLockedValue { $0.popLast() } ?? GraphScratch()
        scratch.prepare(slots: slotCount, effort: effort)
        defer { scratches.withLockedValue { if $0.count < 64 { $0.append(scratch) } } }
        return try body(scratch)
    }

    // MARK: Changing

    public func apply(_ changes: VectorChanges) throws {
        let inserted = try Vector.checked(changes, dimension: dimension)
        try writer.withLock {
            guard slotCount - free.count + inserted.count <= capacity else {
                throw IndexError(
                    .full, "This graph holds at most \(capacity) vectors. Use a clustered index.")
            }
            if let key = inserted.map(\.key).max(), key >= slots.capacity {
                try lock.write { try slots.grow(to: key + 1, used: slots.capacity) }
            }
            for key in changes.deleted { bury(key) }
            let new = inserted.map { key, vector in
                bury(key)
                return place(key, vector)
            }
            link(new)
            if mendsItself && buried.count > max(256, count / 8) { mend() }
            reached.store(max(position, changes.position), ordering: .releasing)
        }
    }

    /// Takes a key out of all answers; its links serve until ``mend()``.
    private func bury(_ key: Int) {
        guard let slot = slot(key) else { return }
        slots.base[key] = 0
        mnk_set_bit(dead.base, slot, 1)
        buried.append(slot)
        live.subtract(1, ordering: .releasing)
    }

    private func slot(_ key: Int) -> UInt32? {
        key >= 0 && key < slots.capacity && slots.base[key] > 0 ? slots.base[key] - 1 : nil
    }

    /// Puts a vector into a free slot; nothing leads to it yet.
    private func place(_ key: Int, _ vector: [Float]) -> UInt32 {
        let slot = free.popLast() ?? UInt32(slotCount),
            record = records.base + Int(slot) * layout.stride
        mnk_encode_record(vector, dimension, record, residuals.base + Int(slot) * layout.residual)
        mnk_clear_links(record, dimension, layout.degree)
        keys.base[Int(slot)] = Int64(key)
        mnk_set_bit(dead.base, slot, 0)
        slots.base[key] = slot + 1
        if Int(slot) != key { isOrdered.store(false, ordering: .releasing) }
        if Int(slot) == slotCount { used.store(Int(slot) + 1, ordering: .releasing) }
        live.add(1, ordering: .releasing)
        for i in 0..<dimension { sum[i] += vector[i] }
        return slot
    }

    /// Links new records. The first ones go one after the other, so that the others find something
    /// to link to.
    private func link(_ new: [UInt32]) {
        let older = count - new.count
        var done = new.count < 64 ? new.count : min(new.count, max(0, 1024 - older))
        withScratch(effort: Self.buildEffort) { scratch in
            for slot in new[..<done] {
                if entry.load(ordering: .relaxed) == .max {
                    entry.store(slot, ordering: .releasing)
                } else {
                    insert(slot, scratch)
                }
            }
        }
        if slotCount >= entrySize * 2 { chooseEntry() }
        while done < new.count {
            // Where the mean lies is looked at again whenever the graph has doubled.
            let end = min(new.count, done + max(4096, entrySize)), next = Atomic(done)
            pool.run { _, _ in
                withScratch(effort: Self.buildEffort) { scratch in
                    while true {
                        let i = next.add(16, ordering: .relaxed).oldValue
                        guard i < end else { break }
                        for slot in new[i..<min(end, i + 16)] { insert(slot, scratch) }
                    }
                }
            }
            done = end
            chooseEntry()
        }
    }

    private func insert(_ slot: UInt32, _ scratch: GraphScratch) {
        var graph = graph()
        mnk_graph_insert(
            ProcessorFeatures.current.rawValue, &graph, slot, Self.buildEffort, Self.alpha,
            &scratch.pointers)
    }

    /// Searches begin at the vector that is nearest to the mean of all.
    private func chooseEntry() {
        entrySize = slotCount
        let found = withScratch(effort: 64) { scratch in
            walk(sum, effort: 64, allowed: nil, scratch).first
        }
        if let found { entry.store(found, ordering: .releasing) }
    }

    /// Leads the links around deleted vectors past them, and frees their slots.
    private func mend() {
        let total = slotCount
        guard count > 0 else {
            // Nothing is left to lead anywhere.
            entry.store(.max, ordering: .releasing)
            release(buried)
            return
        }
        if count < total / 10 { return rebuild() }
        if isDead(Int(entry.load(ordering: .relaxed))) { chooseEntry() }
        if isDead(Int(entry.load(ordering: .relaxed))),
            let other = (0..<total).first(where: { !isDead($0) })
        {
            entry.store(UInt32(other), ordering: .releasing)
        }
        let next = Atomic(0), lonely = NIOLockedValueBox<[UInt32]>([])
        pool.run { _, _ in
            withScratch(effort: Self.buildEffort) { scratch in
                var graph = graph()
                while true {
                    let start = next.add(256, ordering: .relaxed).oldValue
                    guard start < total else { break }
                    for slot in start..<min(total, start + 256) where !isDead(slot) {
                        let links = mnk_graph_repair(
                            ProcessorFeatures.current.rawValue, &graph, UInt32(slot), Self.alpha,
                            &scratch.pointers)
                        if links >= 0, links < Int32(layout.degree) / 4 {
                            lonely.withLockedValue { $0.append(UInt32(slot)) }
                        }
                    }
                }
            }
        }
        // Whose neighbours are nearly all gone looks for new ones.
        withScratch(effort: Self.buildEffort) { scratch in
            for slot in lonely.withLockedValue({ $0 }) { insert(slot, scratch) }
        }
        release(buried)
    }

    /// Links what is left anew: when more than nine in ten are gone at once, the old graph does not
    /// hold together. Searches wait.
    private func rebuild() {
        let left = (0..<slotCount).filter { !isDead($0) }.map(UInt32.init)
        lock.write {
            for slot in 0..<slotCount {
                mnk_clear_links(records.base + slot * layout.stride, dimension, layout.degree)
            }
            entry.store(.max, ordering: .releasing)
            entrySize = 0
            link(left)
        }
        release(buried)
    }

    private func release(_ slots: [UInt32]) {
        // Searches that still walk there end first; later ones find no way to them.
        lock.write {}
        for slot in slots {
            let record = records.base + Int(slot) * layout.stride
            mnk_encode_record(
                [Float](repeating: 0, count: dimension), dimension, record,
                residuals.base + Int(slot) * layout.residual
            )
            mnk_clear_links(record, dimension, layout.degree)
        }
        free.append(contentsOf: slots)
        buried = []
    }

    // MARK: Searching

    /// Slots found by walking, the best first, to 8 bits.
    private func walk(
        _ query: [Float], effort: Int, allowed: UnsafePointer<UInt64>?, _ scratch: GraphScratch
    )
        -> [UInt32]
    {
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: layout.codes) { codes in
            let scale = mnk_encode_query(query, dimension, codes.baseAddress!)
            var graph = graph()
            let found = mnk_graph_search(
                ProcessorFeatures.current.rawValue, &graph, codes.baseAddress!, scale, effort,
                allowed,
                &scratch.pointers)
            return Array(UnsafeBufferPointer(start: scratch.pointers.ids, count: found))
        }
    }

    public func search(_ query: [Float], _ options: VectorSearch) throws -> [VectorMatch] {
        let query = try Vector.normalized(query, dimension: dimension, what: "The query")
        guard options.count > 0, count > 0 else { return [] }
        // What is deleted and not mended around yet takes room among the candidates.
        let crowding = min(8, Double(slotCount) / Double(max(1, count)))
        let effort = Int(
            Double(max(options.effort ?? Self.searchEffort, options.count + options.count / 4 + 4))
                * crowding)
        return lock.read {
            let plan = FilterPlan(filter: options.filter, total: count, effort: effort)
            let kept = options.count + max(12, options.count / 4)
            switch plan {
            case .unfiltered:
                return withScratch(effort: effort) {
                    refined(
                        query, walk(query, effort: effort, allowed: nil, $0).prefix(kept),
                        options.count)
                }
            case .after(let effort):
                return withScratch(effort: effort) { scratch in
                    let found = walk(query, effort: effort, allowed: nil, scratch).lazy.filter {
                        options.filter!.contains(Int(self.keys.base[Int($0)]))
                    }
                    return refined(query, found.prefix(kept), options.count)
                }
            case .during(let effort):
                return withScratch(effort: effort) { scratch in
                    scratch.allow(
                        options.filter!, isOrdered: isOrdered.load(ordering: .acquiring), slot)
                    return refined(
                        query,
                        walk(query, effort: effort, allowed: scratch.allowed, scratch).prefix(kept),
                        options.count)
                }
            case .scan:
                return refined(
                    query, best(query, of: options.filter!.compactMap(slot), kept), options.count)
            }
        }
    }

    /// The best of some slots, to 8 bits.
    private func best(_ query: [Float], of members: [UInt32], _ limit: Int) -> [UInt32] {
        guard members.count > limit else { return members }
        var ranking = Ranking(limit)
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: layout.codes) { codes in
            let scale = mnk_encode_query(query, dimension, codes.baseAddress!)
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 1024) { scores in
                members.withUnsafeBufferPointer { members in
                    for start in stride(from: 0, to: members.count, by: 1024) {
                        let n = min(1024, members.count - start)
                        mnk_graph_scores(
                            ProcessorFeatures.current.rawValue, records.base, layout.stride,
                            dimension,
                            codes.baseAddress!, scale,
                            members.baseAddress! + start, n, scores.baseAddress!)
                        for i in 0..<n { ranking.insert(members[start + i], scores[i]) }
                    }
                }
            }
        }
        return ranking.items.map(\.item)
    }

    /// Puts slots in order by 12 bits.
    private func refined(_ query: [Float], _ found: some Collection<UInt32>, _ limit: Int)
        -> [VectorMatch]
    {
        let matches = found.map { slot in
            VectorMatch(
                key: Int(keys.base[Int(slot)]),
                score: mnk_refine(
                    ProcessorFeatures.current.rawValue, query,
                    records.base + Int(slot) * layout.stride,
                    residuals.base + Int(slot) * layout.residual,
                    dimension))
        }
        return Array(matches.sorted(by: VectorMatch.isBefore).prefix(limit))
    }

    public func add(_ key: Int, to sum: UnsafeMutablePointer<Float>) -> Bool {
        lock.read {
            guard let slot = slot(key) else { return false }
            mnk_add_record(
                ProcessorFeatures.current.rawValue, records.base + Int(slot) * layout.stride,
                residuals.base + Int(slot) * layout.residual, dimension, sum)
            return true
        }
    }

    /// All keys, in no order.
    public var allKeys: [Int] {
        lock.read {
            (0..<slotCount).lazy.filter { !self.isDead($0) }.map { Int(self.keys.base[$0]) }
        }
    }

    /// Whether a key is here.
    public func contains(_ key: Int) -> Bool { lock.read { slot(key) != nil } }

    // MARK: Saving

    /// Mends the links around what was deleted, if that is much.
    public func maintain() { writer.withLock { if buried.count > max(256, count / 8) { mend() } } }

    public func save(to path: String, name: (Int) -> Int) throws {
        try withParts(name: name) {
            try IndexFile.write(path, kind: .graph, values: $0, sections: $1)
        }
    }

    /// What is written, while nothing changes.
    func withParts(name: (Int) -> Int, _ body: ([Int], [UnsafeRawBufferPointer]) throws -> Void)
        throws
    {
        try writer.withLock {
            if !buried.isEmpty { mend() }  // which also overwrites what was deleted
            let count = slotCount, at = entry.load(ordering: .relaxed)
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
