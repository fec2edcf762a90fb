import MnemeNumerics
import NIOConcurrencyHelpers
import Synchronization

/// Every vector is compared: a scan over 8-bit codes, and the exact order of the best from the
/// vectors themselves.
///
/// Nothing is built, deletes are real at once, and several queries share one reading of the codes.
/// The best index for some ten thousand vectors (Kuffo and Boncz 2025 find the same of scans in
/// general), and the reference for the others.
public final class FlatIndex: VectorIndex, @unchecked Sendable {
    // Sendable: `lock` guards the regions, `writer` what only changes need.
    /// Elements of a vector.
    public let dimension: Int
    /// Bytes of a row's 8-bit codes: the dimension, padded as ``MnemeNumerics/Int8Panels`` needs
    /// it.
    private let width: Int
    /// Held by searches, and taken whole for each small step of a change; `writer` admits one
    /// change at a time.
    private let lock = ReadWriteLock(), writer = NIOLock()
    private let vectors: Region<Float>, codes: Region<Int8>, scales: Region<Float>,
        sums: Region<Int32>,
        keys: Region<Int64>, zeros: Region<Float>
    /// By key: its row and one, or 0.
    private let rows: Region<UInt32>
    /// Rows that hold a vector: the first ones. A deleted row is filled by the last.
    private var used = 0
    /// The position in the journal.
    private var reached: Int64 = 0
    /// The file that is mapped; nil for an index that was made here.
    private let file: IndexFile?

    /// Rows that there is address space for at first; regions grow in place.
    private static let initialCapacity = 65_536
    /// Rows whose scores are kept at once: they stay in the second-level cache.
    private static let block = 8192

    /// An empty index.
    ///
    /// - Throws: ``IndexError`` for a dimension of 0 or over 8,192.
    public init(dimension: Int) throws {
        try Vector.check(dimension: dimension)
        self.dimension = dimension
        width = Int8Panels.padded(dimension)
        let n = Self.initialCapacity
        vectors = try Region(capacity: n * dimension)
        codes = try Region(capacity: n * width)
        scales = try Region(capacity: n)
        sums = try Region(capacity: n)
        keys = try Region(capacity: n)
        zeros = try Region(capacity: n)
        rows = try Region(capacity: n)
        file = nil
    }

    /// Opens what ``save(to:)`` wrote; the file is mapped, not read.
    ///
    /// - Parameters:
    ///   - path: the file that it is written to.
    ///   - key: the key of a name in the file, or nil if that is gone, see
    ///     ``VectorIndex/save(to:name:)``.
    /// - Throws: ``IndexError``.
    public convenience init(opening path: String, key: (Int) -> Int? = { $0 }) throws {
        try self.init(file: IndexFile(opening: path, kind: .flat), key: key)
    }

    /// The part of a file that ``save(to:name:)`` writes: three values and five sections, the first
    /// of either.
    init(file: IndexFile, key: (Int) -> Int?) throws {
        let damaged = IndexError(.corrupt, "\(file.path) is damaged. Delete it; it is made again.")
        dimension = file.values[0]
        try Vector.check(dimension: dimension)
        width = Int8Panels.padded(dimension)
        let count = file.values[1]
        let padded = (count + 15) / 16 * 16
        guard count >= 0, count < VectorLimits.keys, file.sections.count >= 5, file.isSound(0)
        else { throw damaged }
        reached = Int64(file.values[2])
        let n = max(Self.initialCapacity, count * 2)
        keys = try file.region(0, count: count, capacity: n)
        vectors = try file.region(1, count: count * dimension, capacity: n * dimension)
        codes = try file.region(2, count: padded * width, capacity: n * width)
        scales = try file.region(3, count: padded, capacity: n)
        sums = try file.region(4, count: padded, capacity: n)
        zeros = try Region(capacity: n)
        rows = try Region(capacity: n)
        self.file = file
        used = count
        var gone: [Int] = []
        for row in 0..<count {
            guard let key = key(Int(keys.base[row])) else {
                gone.append(row)
                continue
            }
            guard key >= 0, key < VectorLimits.keys else { throw damaged }
            try rows.grow(to: key + 1, used: rows.capacity)
            guard rows.base[key] == 0 else { throw damaged }
            rows.base[key] = UInt32(row + 1)
            keys.base[row] = Int64(key)
        }
        for row in gone.reversed() { clear(row) }
    }

    /// Tells whether the opened file is what was written; reads it all.
    public func verify() -> Bool {
        file.map { file in file.sections.indices.allSatisfy(file.isSound) } ?? true
    }

    /// Vectors, all of which a search compares.
    public var count: Int { lock.read { used } }
    /// The journal's position.
    public var position: Int64 { lock.read { reached } }
    /// Floats and codes; what is mapped of a file counts as memory.
    public var footprint: IndexFootprint {
        IndexFootprint(memory: count * (dimension * 4 + width + 16 + 24))
    }

    /// As ``VectorIndex`` has it. Room is made first: from then on nothing can fail.
    public func apply(_ changes: VectorChanges) throws {
        let inserted = try Vector.checked(changes, dimension: dimension)
        try writer.withLock {
            // A few at a time, so that searches wait for microseconds only.
            try lock.write {
                let most = used + inserted.count
                let padded = (most + 31) / 16 * 16
                try vectors.grow(to: most * dimension, used: used * dimension)
                try codes.grow(to: padded * width, used: (used + 15) / 16 * 16 * width)
                try scales.grow(to: padded, used: used)
                try sums.grow(to: padded, used: used)
                try keys.grow(to: most, used: used)
                try zeros.grow(to: padded, used: 0)
                try rows.grow(to: (inserted.map(\.key).max() ?? 0) + 1, used: rows.capacity)
                for key in changes.deleted { if let row = row(key) { clear(row) } }
                if changes.deleted.count >= 1024 { shrink() }
            }
            // 64 at a time: a search between two steps sees whole rows, of which some are not there
            // yet.
            for start in stride(from: 0, to: inserted.count, by: 64) {
                lock.write {
                    for (key, vector) in inserted[start..<min(inserted.count, start + 64)] {
                        let row = row(key) ?? used
                        if row == used {
                            used += 1
                            rows.base[key] = UInt32(row + 1)
                            keys.base[row] = Int64(key)
                        }
                        set(row, vector)
                    }
                }
            }
            lock.write { reached = max(reached, changes.position) }
        }
    }

    /// The row of a key that is here.
    private func row(_ key: Int) -> Int? {
        key >= 0 && key < rows.capacity && rows.base[key] > 0 ? Int(rows.base[key]) - 1 : nil
    }

    /// Writes a row: the vector exactly, and its codes.
    private func set(_ row: Int, _ vector: UnsafePointer<Float>) {
        (vectors.base + row * dimension).update(from: vector, count: dimension)
        Int8Panels.set(
            row, vector, dimension: dimension, codes: codes.base, scales: scales.base,
            sums: sums.base)
    }

    /// Gives back the memory of rows that are gone.
    private func shrink() {
        let padded = (used + 15) / 16 * 16
        vectors.discard(behind: padded * dimension)
        codes.discard(behind: padded * width)
    }

    /// The last row takes the place of a deleted one; what was there is overwritten.
    private func clear(_ row: Int) {
        let last = used - 1
        if self.row(Int(keys.base[row])) == row { rows.base[Int(keys.base[row])] = 0 }
        used = last
        if row != last {
            let moved = [Float](
                UnsafeBufferPointer(start: vectors.base + last * dimension, count: dimension))
            set(row, moved)
            keys.base[row] = keys.base[last]
            rows.base[Int(keys.base[row])] = UInt32(row + 1)
        }
        set(last, [Float](repeating: 0, count: dimension))
        keys.base[last] = 0
    }

    /// Exact: codes of 8 bits choose, floats decide.
    public func search(_ query: [Float], _ options: VectorSearch) throws -> [VectorMatch] {
        try search(batch: [query], options)[0]
    }

    /// Several queries at once: the codes are read once for all of them.
    ///
    /// - Throws: ``IndexError`` for a query of another dimension.
    /// - Complexity: with a filter of few keys, those alone are compared.
    public func search(batch: [[Float]], _ options: VectorSearch) throws -> [[VectorMatch]] {
        let queries = try batch.flatMap {
            try Vector.normalized($0, dimension: dimension, what: "The query")
        }
        guard options.count > 0 else { return batch.map { _ in [] } }
        return lock.read {
            let count = used
            // The 8-bit order is right but for neighbours: a few more are compared exactly.
            let kept = min(count, options.count + max(16, options.count / 4))
            if let filter = options.filter, filter.count < count / 8 {
                var members: [UInt32] = []
                for key in filter { if let row = row(key) { members.append(UInt32(row)) } }
                return batch.indices.map { exact(queries, $0, members, options.count) }
            }
            var rankings = batch.map { _ in Ranking(kept) }
            let stride = min(Self.block, (count + 15) / 16 * 16)
            withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, stride * batch.count)) {
                scores in
                for start in Swift.stride(from: 0, to: count, by: Self.block) {
                    let end = min(count, start + Self.block)
                    queries.withUnsafeBufferPointer { queries in
                        Int8Panels.scores(
                            queries: queries.baseAddress!, count: batch.count, dimension: dimension,
                            rows: 0..<(end - start + 15) / 16 * 16,
                            codes: codes.base + start * width, scales: scales.base + start,
                            sums: sums.base + start,
                            zeros: zeros.base,
                            into: scores.baseAddress!, stride: stride)
                    }
                    for q in batch.indices {
                        let scores = scores.baseAddress! + q * stride
                        if let filter = options.filter {
                            for i in 0..<end - start
                            where scores[i] > rankings[q].threshold
                                && filter.contains(Int(keys.base[start + i]))
                            {
                                rankings[q].insert(UInt32(start + i), scores[i])
                            }
                        } else {
                            var threshold = rankings[q].threshold
                            for i in 0..<end - start where scores[i] > threshold {
                                rankings[q].insert(UInt32(start + i), scores[i])
                                threshold = rankings[q].threshold
                            }
                        }
                    }
                }
            }
            return batch.indices.map {
                exact(queries, $0, rankings[$0].items.map(\.item), options.count)
            }
        }
    }

    /// The best of some rows in exact order.
    private func exact(_ queries: [Float], _ q: Int, _ candidates: [UInt32], _ limit: Int)
        -> [VectorMatch]
    {
        queries.withUnsafeBufferPointer { queries in
            let matches = candidates.map { row in
                VectorMatch(
                    key: Int(keys.base[Int(row)]),
                    score: dotProduct(
                        queries.baseAddress! + q * dimension, vectors.base + Int(row) * dimension,
                        count: dimension))
            }
            return Array(matches.sorted(by: VectorMatch.isBefore).prefix(limit))
        }
    }

    /// The vector as it was given, at length 1.
    public func add(_ key: Int, to sum: UnsafeMutablePointer<Float>) -> Bool {
        lock.read {
            guard let row = row(key) else { return false }
            let vector = vectors.base + row * dimension
            for i in 0..<dimension { sum[i] += vector[i] }
            return true
        }
    }

    /// All keys, in no order.
    public var allKeys: [Int] { lock.read { (0..<used).map { Int(keys.base[$0]) } } }

    /// One file; codes are written with the vectors, so that opening computes nothing.
    public func save(to path: String, name: (Int) -> Int) throws {
        try withParts(name: name) {
            try IndexFile.write(path, kind: .flat, values: $0, sections: $1)
        }
    }

    /// Hands out the parts of the file, while nothing changes.
    func withParts(name: (Int) -> Int, _ body: ([Int], [UnsafeRawBufferPointer]) throws -> Void)
        throws
    {
        try writer.withLock {
            let count = used
            let padded = (count + 15) / 16 * 16
            let names = (0..<count).map { Int64(name(Int(keys.base[$0]))) }
            try names.withUnsafeBytes { names in
                try body(
                    [dimension, count, Int(reached)],
                    [
                        names, vectors.bytes(count * dimension), codes.bytes(padded * width),
                        scales.bytes(padded),
                        sums.bytes(padded),
                    ])
            }
        }
    }
}

extension VectorMatch {
    /// The better one first; of equals the older key.
    package static func isBefore(_ a: VectorMatch, _ b: VectorMatch) -> Bool {
        a.score != b.score ? a.score > b.score : a.key < b.key
    }
}

extension Region {
    /// The first `count` elements as bytes.
    func bytes(_ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(UnsafeBufferPointer(start: base, count: count))
    }
}
