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
    public let dimension: Int
    /// The table's file.
    public let path: String
    private let layout: GraphLayout
    private let lists: PostingFile
    private let centroids: GraphIndex
    private struct Table {
        /// By number of the centroid.
        var places: [PostingFile.Place] = []
        /// Numbers that no centroid has.
        var vacant: [Int] = []
    }
    private struct Names {
        /// By the vector's number on disk: its key, or −1; the list that it is surely in; and how
        /// many hold it.
        var keys: [Int32] = []
        var homes: [UInt32] = []
        var copies: [UInt8] = []
        /// By key: its number and one, or 0.
        var numbers: [UInt32] = []
        var count = 0
        var free: [UInt32] = []
        /// Free once the table is saved: until then a search may still come from an old list.
        var waiting: [UInt32] = []

        func number(_ key: Int) -> UInt32? {
            key >= 0 && key < numbers.count && numbers[key] > 0 ? numbers[key] - 1 : nil
        }
    }
    private let table = NIOLockedValueBox(Table()), names = NIOLockedValueBox(Names())
    private let reached = NIOLockedValueBox<Int64>(0)
    private let writer = NIOLock()
    private let reads = NIOLockedValueBox((lists: 0, pages: 0))

    /// Entries of a list, at most.
    private static let listLimit = 64
    /// Lists that hold a vector, at most, how much further than the nearest their centroids may be,
    /// and how much nearer to each other than to the vector; measured on sentences. Distances are 1
    /// − similarity.
    private static let copyLimit = 6, closure: Float = 1.4, spread: Float = 1.5
    /// Lists read by default, and how much further than the nearest a centroid's may be.
    private static let searchEffort = 64, pruning: Float = 1.7

    private static func stride(_ layout: GraphLayout) -> Int {
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
    /// - Parameter key: the key of a name in the file, or nil if that is gone.
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
        let total = file.values[1], placeCount = file.values[3], slotCount = file.values[4],
            freeCount = file.values[5]
        guard (0..<VectorLimits.keys).contains(total), (0..<VectorLimits.keys).contains(placeCount),
            (0..<VectorLimits.keys).contains(slotCount),
            (0...slotCount).contains(freeCount)
        else { throw damaged }
        func array<T: BitwiseCopyable>(_ section: Int, _ count: Int, _: T.Type) throws -> [T] {
            let region: Region<T> = try file.region(section, count: count, capacity: count)
            return Array(UnsafeBufferPointer(start: region.base, count: count))
        }
        let places = try array(0, placeCount * 6, UInt32.self),
            titles = try array(1, total, Int64.self)
        var table = Table(), names = Names()
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
            file: file, value: 8, section: 5, pool: nil, mendsItself: true
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

    /// Whether every list is what the table says; reads them all.
    public func verify() -> Bool {
        table.withLockedValue { $0.places.indices.map { $0 } }.allSatisfy {
            (try? withList($0) { _, _ in true }) ?? false
        }
    }

    public var count: Int { names.withLockedValue { $0.count } }
    public var position: Int64 { reached.withLockedValue { $0 } }
    /// Centroids in memory.
    public var centroidCount: Int { centroids.count }
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

    // MARK: Entries

    // An entry: codes, scale, number of the vector (u32), residual; padded to 16 bytes.

    private func entry(_ number: UInt32, _ vector: [Float]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: lists.stride)
        bytes.withUnsafeMutableBytes { bytes in
            let base = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
            mnk_encode_record(vector, dimension, base, base + layout.codes + 8)
            bytes.storeBytes(of: number, toByteOffset: layout.codes + 4, as: UInt32.self)
        }
        return bytes
    }

    private func number(_ entry: UnsafePointer<UInt8>) -> UInt32 {
        UnsafeRawPointer(entry).loadUnaligned(fromByteOffset: layout.codes + 4, as: UInt32.self)
    }

    private func decoded(_ entry: UnsafePointer<UInt8>) -> [Float] {
        var vector = [Float](repeating: 0, count: dimension)
        mnk_add_record(
            ProcessorFeatures.current.rawValue, entry, entry + layout.codes + 8, dimension, &vector)
        return vector
    }

    /// Reads a list; one that has moved meanwhile is read again.
    private func withList<R>(_ list: Int, _ body: (UnsafePointer<UInt8>, Int) throws -> R) throws
        -> R
    {
        try withUnsafeTemporaryAllocation(byteCount: lists.slotBytes, alignment: 64) { buffer in
            var place = table.withLockedValue { $0.places[list] }
            while try place.count > 0 && !lists.read(place, into: buffer) {
                let now = table.withLockedValue { $0.places[list] }
                guard now != place else {
                    throw IndexError(
                        .corrupt, "\(lists.path) is damaged. Delete it; it is made again.")
                }
                place = now
            }
            return try body(
                buffer.baseAddress!.assumingMemoryBound(to: UInt8.self), Int(place.count))
        }
    }

    // MARK: Changing

    public func apply(_ changes: VectorChanges) throws {
        let inserted = try Vector.checked(changes, dimension: dimension)
        try writer.withLock {
            let old = names.withLockedValue { names in
                Set((changes.deleted + inserted.map(\.key)).compactMap(names.number))
            }
            // The new ones first: a replaced vector is always found, for a moment twice, and once
            // in an answer.
            for (key, vector) in inserted {
                let number = names.withLockedValue { names in
                    if let number = names.free.popLast() { return number }
                    names.keys.append(-1)
                    names.homes.append(0)
                    names.copies.append(0)
                    return UInt32(names.keys.count - 1)
                }
                try insert(number, vector)
                names.withLockedValue { names in
                    if key >= names.numbers.count {
                        names.numbers.append(
                            contentsOf: repeatElement(
                                0, count: max(key + 1 - names.numbers.count, names.numbers.count))
                        )
                    }
                    if names.numbers[key] > 0 {
                        names.keys[Int(names.numbers[key]) - 1] = -1
                    } else {
                        names.count += 1
                    }
                    names.numbers[key] = number + 1
                    names.keys[Int(number)] = Int32(key)
                }
            }
            names.withLockedValue { names in
                for key in changes.deleted {
                    guard let number = names.number(key), old.contains(number) else { continue }
                    names.numbers[key] = 0
                    names.keys[Int(number)] = -1
                    names.count -= 1
                }
            }
            if !old.isEmpty { try remove(Array(old)) }
            reached.withLockedValue { $0 = max($0, changes.position) }
        }
    }

    /// The lists that a vector belongs to, the nearest first.
    private func homes(of vector: [Float]) throws -> [Int] {
        let near = try centroids.search(vector, VectorSearch(24, effort: 40))
        guard let nearest = near.first else { return [] }
        var chosen: [(list: Int, centroid: [Float])] = []
        for candidate in near {
            guard chosen.count < Self.copyLimit,
                1 - candidate.score <= Self.closure * (1 - nearest.score) + 1e-6
            else {
                break
            }
            guard let centroid = centroids.vector(candidate.key) else { continue }
            // One behind another chosen centroid is left out: who looks there looks at the other
            // first.
            if chosen.contains(where: {
                (1 - dotProduct($0.centroid, centroid, count: dimension)) * Self.spread < 1
                    - candidate.score
            }) {
                continue
            }
            chosen.append((candidate.key, centroid))
        }
        return chosen.map(\.list)
    }

    private func insert(_ number: UInt32, _ vector: [Float]) throws {
        var targets = try homes(of: vector)
        if targets.isEmpty { targets = [try newList(vector, [])] }
        names.withLockedValue {
            ($0.homes[Int(number)], $0.copies[Int(number)]) = (
                UInt32(targets[0]), UInt8(targets.count)
            )
        }
        let entry = entry(number, vector)
        var full: [Int] = []
        for list in targets where try append(entry, to: list) { full.append(list) }
        // Cut only when the vector is everywhere that it belongs.
        for list in full { try split(list) }
    }

    /// Adds an entry to a list; true if the list is full then.
    private func append(_ entry: [UInt8], to list: Int) throws -> Bool {
        try withUnsafeTemporaryAllocation(byteCount: lists.slotBytes, alignment: 64) { buffer in
            let place = table.withLockedValue { $0.places[list] }
            guard try place.count == 0 || lists.read(place, into: buffer) else {
                throw IndexError(.corrupt, "\(lists.path) is damaged. Delete it; it is made again.")
            }
            let used = Int(place.count) * lists.stride
            precondition(place.count < Self.listLimit)
            entry.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: buffer[used...]).copyMemory(from: $0)
            }
            let whole = UnsafeRawBufferPointer(rebasing: buffer[..<(used + lists.stride)])
            let new =
                place.count == 0
                ? try lists.write(whole) : try lists.append(to: place, whole: whole)
            table.withLockedValue { $0.places[list] = new }
            return new.count == Self.listLimit
        }
    }

    /// Puts a list in place of what it was.
    private func replace(_ list: Int, _ entries: [UInt8]) throws {
        let old = table.withLockedValue { $0.places[list] }
        let new =
            entries.isEmpty
            ? PostingFile.Place() : try entries.withUnsafeBytes { try lists.write($0) }
        table.withLockedValue { $0.places[list] = new }
        if old.count > 0 { lists.release(old) }
    }

    private func newList(_ centroid: [Float], _ entries: [UInt8]) throws -> Int {
        let place =
            entries.isEmpty
            ? PostingFile.Place() : try entries.withUnsafeBytes { try lists.write($0) }
        let list = table.withLockedValue { table in
            if let vacant = table.vacant.popLast() {
                table.places[vacant] = place
                return vacant
            }
            table.places.append(place)
            return table.places.count - 1
        }
        try centroids.apply(VectorChanges(inserted: [(list, centroid)]))
        return list
    }

    /// The entries of a list, each with its number and vector.
    private func entries(of list: Int) throws -> [(number: UInt32, bytes: [UInt8], vector: [Float])] {
        try withList(list) { base, count in
            (0..<count).map { i in
                let entry = base + i * lists.stride
                return (
                    number(entry), Array(UnsafeBufferPointer(start: entry, count: lists.stride)),
                    decoded(entry)
                )
            }
        }
    }

    /// Cuts a full list in two of about the same length, and moves what then belongs elsewhere.
    private func split(_ list: Int) throws {
        let all = try entries(of: list)
        guard all.count == Self.listLimit else { return }
        let (first, second, isSecond) = TwoMeans.halves(all.map(\.vector), dimension: dimension)
        // The new list is there before the old one is made smaller: nothing is missing in between.
        let other = try newList(
            second, all.indices.filter { isSecond[$0] }.flatMap { all[$0].bytes })
        try centroids.apply(VectorChanges(inserted: [(list, first)]))
        try replace(list, all.indices.filter { !isSecond[$0] }.flatMap { all[$0].bytes })
        var homeless: [(UInt32, [Float])] = []
        names.withLockedValue { names in
            for i in all.indices where names.homes[Int(all[i].number)] == UInt32(list) {
                if isSecond[i] { names.homes[Int(all[i].number)] = UInt32(other) }
                homeless.append((all[i].number, all[i].vector))
            }
        }
        // Who lies near a new centroid may belong there now.
        for near in try centroids.search(second, VectorSearch(8, effort: 16))
            + centroids.search(first, VectorSearch(8, effort: 16))
        where near.key != list && near.key != other {
            for item in try entries(of: near.key) {
                guard names.withLockedValue({ $0.homes[Int(item.number)] }) == UInt32(near.key),
                    let centroid = centroids.vector(near.key)
                else { continue }
                let present = dotProduct(item.vector, centroid, count: dimension)
                if max(
                    dotProduct(item.vector, first, count: dimension),
                    dotProduct(item.vector, second, count: dimension))
                    > present
                {
                    homeless.append((item.number, item.vector))
                }
            }
        }
        for (number, vector) in homeless { try rehome(number, vector) }
    }

    /// Puts a vector into the lists that it belongs to now, and takes it out of the others that it
    /// is known to be in.
    private func rehome(_ number: UInt32, _ vector: [Float]) throws {
        let home = Int(names.withLockedValue { $0.homes[Int(number)] })
        let targets = try homes(of: vector)
        guard let first = targets.first, first != home else { return }
        var copies = Int(names.withLockedValue { $0.copies[Int(number)] })
        // Only the home moves; the other copies stay where they help as well.
        let isThere = try withList(first) { base, count in
            (0..<count).contains { self.number(base + $0 * lists.stride) == number }
        }
        if !isThere {
            // it is as near where it is
            guard table.withLockedValue({ $0.places[first].count }) < Self.listLimit - 1 else {
                return
            }
            _ = try append(entry(number, vector), to: first)
            copies += 1
        }
        let rest = try entries(of: home)
        if rest.count > 1, copies > 1 {
            try replace(home, rest.filter { $0.number != number }.flatMap(\.bytes))
            copies -= 1
        }
        names.withLockedValue {
            ($0.homes[Int(number)], $0.copies[Int(number)]) = (
                UInt32(first), UInt8(min(255, copies))
            )
        }
    }

    /// Takes vectors out of all lists.
    private func remove(_ numbers: [UInt32]) throws {
        var left: [UInt32: Int] = [:], touched: Set<Int> = []
        for number in numbers {
            let (home, copies) = names.withLockedValue {
                (Int($0.homes[Int(number)]), Int($0.copies[Int(number)]))
            }
            left[number] = copies
            guard left[number]! > 0, let vector = try vector(number, in: home) else { continue }
            for near in [home]
                + (try centroids.search(vector, VectorSearch(48, effort: 64)).map(\.key).filter {
                    $0 != home
                })
            {
                guard left[number]! > 0 else { break }
                let all = try entries(of: near), kept = all.filter { left[$0.number] == nil }
                guard kept.count < all.count else { continue }
                for item in all { if let n = left[item.number] { left[item.number] = n - 1 } }
                try replace(near, kept.flatMap(\.bytes))
                touched.insert(near)
            }
        }
        // Copies whose lists have moved far away since: all lists are looked through.
        if left.values.contains(where: { $0 > 0 }) {
            for list in table.withLockedValue({ $0.places.indices }) {
                let all = try entries(of: list), kept = all.filter { left[$0.number] == nil }
                guard kept.count < all.count else { continue }
                try replace(list, kept.flatMap(\.bytes))
                touched.insert(list)
            }
        }
        names.withLockedValue { names in
            for number in numbers { names.copies[Int(number)] = 0 }
            names.waiting.append(contentsOf: numbers)
        }
        for list in touched
        where table.withLockedValue({ $0.places[list].count }) < Self.listLimit / 8
            && centroids.count > 1
        {
            try give(list)
        }
    }

    private func vector(_ number: UInt32, in list: Int) throws -> [Float]? {
        try withList(list) { base, count in
            (0..<count).first { self.number(base + $0 * lists.stride) == number }.map {
                decoded(base + $0 * lists.stride)
            }
        }
    }

    /// Gives the entries of a list that is nearly empty to the lists around, and its centroid up.
    private func give(_ list: Int) throws {
        guard centroids.contains(list) else { return }
        let all = try entries(of: list)
        try centroids.apply(VectorChanges(deleted: [list]))
        var full: [Int] = []
        for item in all {
            let (home, copies) = names.withLockedValue {
                (Int($0.homes[Int(item.number)]), Int($0.copies[Int(item.number)]))
            }
            guard home == list else {
                names.withLockedValue { $0.copies[Int(item.number)] = UInt8(max(1, copies - 1)) }
                continue
            }
            guard let target = try homes(of: item.vector).first else { continue }
            let isThere = try withList(target) { base, count in
                (0..<count).contains { number(base + $0 * lists.stride) == item.number }
            }
            if !isThere, try append(item.bytes, to: target) { full.append(target) }
            names.withLockedValue {
                ($0.homes[Int(item.number)], $0.copies[Int(item.number)]) = (
                    UInt32(target), UInt8(isThere ? max(1, copies - 1) : copies)
                )
            }
            for list in full { try split(list) }
            full = []
        }
        try replace(list, [])
        table.withLockedValue { $0.vacant.append(list) }
    }

    // MARK: Searching

    public func search(_ query: [Float], _ options: VectorSearch) throws -> [VectorMatch] {
        let query = try Vector.normalized(query, dimension: dimension, what: "The query")
        let total = count
        guard options.count > 0, total > 0 else { return [] }
        var effort = max(options.effort ?? Self.searchEffort, options.count / 4)
        var pruning = Self.pruning
        if let filter = options.filter {
            // Few that pass are read one by one; for more, more lists are read.
            if filter.count * filter.count <= effort * total {
                let homes = names.withLockedValue { names in
                    var homes: Set<Int> = []
                    for key in filter {
                        if let number = names.number(key) {
                            homes.insert(Int(names.homes[Int(number)]))
                        }
                    }
                    return homes
                }
                return try scan(query, Array(homes), options)
            }
            let share = Double(filter.count) / Double(total)
            effort = min(centroids.count, Int(Double(effort) / share))
            pruning = 1 + (pruning - 1) * Float(1 / share).squareRoot() * 1.5
        }
        let near = try centroids.search(
            query, VectorSearch(effort, effort: effort + effort / 2 + 16))
        let limit = (1 - (near.first?.score ?? 0)) * pruning
        // Where a few lists are much nearer than the rest, they hold enough all the same.
        let lengths = table.withLockedValue { table in near.map { Int(table.places[$0.key].count) }
        }
        var entries = 0
        let chosen = near.indices.prefix { i in
            defer { entries += lengths[i] }
            return 1 - near[i].score <= limit || entries < 8 * options.count
        }
        return try scan(query, chosen.map { near[$0].key }, options)
    }

    /// Reads lists and keeps the best.
    private func scan(_ query: [Float], _ chosen: [Int], _ options: VectorSearch) throws
        -> [VectorMatch]
    {
        let places = table.withLockedValue { table in chosen.map { table.places[$0] } }
        lists.announce(places)
        reads.withLockedValue { reads in
            reads.lists += places.count
            reads.pages += places.reduce(0) {
                $0 + (Int($1.count) * lists.stride + PostingFile.page - 1) / PostingFile.page
            }
        }
        let kept = options.count + max(12, options.count / 4)
        var best: [(score: Float, number: UInt32, exact: Float)] = [], threshold = -Float.infinity
        var seen: Set<UInt32> = []
        try withUnsafeTemporaryAllocation(of: Int8.self, capacity: layout.codes) { codes in
            let scale = mnk_encode_query(query, dimension, codes.baseAddress!),
                indices = (0..<UInt32(Self.listLimit)).map { $0 }
            try withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.listLimit) { scores in
                for list in chosen {
                    try withList(list) { base, count in
                        mnk_graph_scores(
                            ProcessorFeatures.current.rawValue, base, lists.stride, dimension,
                            codes.baseAddress!,
                            scale, indices, count, scores.baseAddress!)
                        for i in 0..<count where scores[i] > threshold {
                            let entry = base + i * lists.stride, number = number(entry)
                            guard seen.insert(number).inserted else { continue }
                            if let filter = options.filter,
                                !filter.contains(
                                    names.withLockedValue({ Int($0.keys[Int(number)]) }))
                            {
                                continue
                            }
                            best.append(
                                (
                                    scores[i], number,
                                    mnk_refine(
                                        ProcessorFeatures.current.rawValue, query, entry,
                                        entry + layout.codes + 8,
                                        dimension)
                                ))
                        }
                    }
                    if best.count > 4 * kept {
                        best.sort { $0.score > $1.score }
                        best.removeLast(best.count - kept)
                        threshold = best.last!.score
                    }
                }
            }
        }
        let matches = names.withLockedValue { names in
            best.compactMap { item in
                names.keys[Int(item.number)] >= 0
                    ? VectorMatch(key: Int(names.keys[Int(item.number)]), score: item.exact) : nil
            }
        }
        // A vector that is being replaced may be here with its old and its new number.
        var found: Set<Int> = []
        return Array(
            matches.sorted(by: VectorMatch.isBefore).filter { found.insert($0.key).inserted }
                .prefix(options.count))
    }

    public func add(_ key: Int, to sum: UnsafeMutablePointer<Float>) -> Bool {
        guard
            let (number, home) = names.withLockedValue({ names in
                names.number(key).map { ($0, Int(names.homes[Int($0)])) }
            }),
            let vector = try? vector(number, in: home)
        else { return false }
        for i in 0..<dimension { sum[i] += vector[i] }
        return true
    }

    // MARK: Saving

    /// Writes the table, after the lists that it names. At another path than its own, the lists are
    /// copied.
    public func save(to path: String, name: (Int) -> Int) throws {
        try writer.withLock {
            try lists.synchronize()
            let isOwn = path == self.path && lists.isInPlace
            if !isOwn { try lists.copy(to: path + ".postings") }
            let
                (places, names) = (
                    table.withLockedValue { $0.places }, names.withLockedValue { $0 }
                ),
                free = lists.freeSlots
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
