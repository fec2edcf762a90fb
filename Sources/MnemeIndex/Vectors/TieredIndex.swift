import Foundation
package import MnemeNumerics
package import MnemeSeal
import NIOConcurrencyHelpers

/// The index that needs no tuning: few vectors are scanned, many lie in a graph, and more than
/// memory is to hold lie on disk.
///
/// New vectors are scanned at first, so that they are found at once; `maintain()`, which the owner
/// calls in the background, moves them to the graph when there is enough. Searches ask both. Saved
/// they are one file; lists on disk lie beside it, at `path.lists`.
public final class TieredIndex: VectorIndex, @unchecked Sendable {
    // Sendable: `state` guards what changes; the parts guard themselves.
    /// Elements of a vector.
    public let dimension: Int
    /// New vectors, and all while there are few.
    private let recent: FlatIndex
    /// Parts of the index, and what of them is under way. Held for moments only.
    private struct State {
        /// A graph, or lists on disk.
        var large: (any VectorIndex)?
        var position: Int64 = 0
        /// Keys deleted or replaced while the graph was busy: what it has of them is old.
        var overtaken: Set<Int> = []
        /// True if the graph is being changed or written.
        var isBusy = false
    }
    private let state: NIOLockedValueBox<State>
    private let writer = NIOLock(), maintenance = NIOLock()
    /// Vectors in ``recent`` from which ``maintain()`` moves them to the large index.
    private let threshold: Int
    /// Bytes that the large index may take in memory, and on disk.
    private let memory: Int, disk: Int
    /// Where the files are; nil for an index in memory alone.
    private let path: String?
    /// Encrypts the file; lists on disk are made only where there is none.
    private let dataKey: DataKey?
    /// Builds the large index.
    private let pool: ThreadPool
    /// The file that parts of the index are mapped from.
    private let file: IndexFile?
    /// Builds graphs: with half of the cores, and beside the pool that questions are embedded with.
    private static let background = ThreadPool(
        threads: max(1, ProcessInfo.processInfo.activeProcessorCount / 2))
    /// Where the graph's part of a file begins.
    private static let graphValue = 8, graphSection = 5
    /// Where the file says which journal it belongs to, see ``Saved``.
    private static let journalValue = 14
    /// Stands in place of the graph's dimension if there are lists on disk instead.
    private static let onDisk = -1

    /// Vectors from which there is a graph. It answers sooner from some ten thousand on (`mneme
    /// bench index`: 0.05 and 0.06 ms at 10,000, 0.08 and 0.16 ms at 30,000); a scan is exact and
    /// needs no building, so it may take a little longer.
    public static let graphThreshold = 16_384
    /// New vectors that are scanned beside a graph before they are moved to it.
    private static let recentLimit = 2_048

    /// An empty index.
    ///
    /// - Parameters:
    ///   - threshold: vectors from which there is a graph.
    ///   - memory: bytes that a graph may take; beyond, vectors lie on disk.
    ///   - disk: bytes that these may take; if they would take more, they stay in memory.
    ///   - path: where the index will be saved: lists on disk lie beside it. nil keeps all in
    ///     memory.
    ///   - pool: builds the graph; nil takes one of half the cores.
    ///   - dataKey: encrypts the file that it is saved to. Nothing is put on disk beside that then.
    /// - Throws: ``IndexError`` for a dimension of 0 or over 8,192.
    package init(
        dimension: Int, threshold: Int = graphThreshold, memory: Int = .max, disk: Int = .max,
        path: String? = nil,
        pool: ThreadPool? = nil,
        dataKey: DataKey? = nil
    ) throws {
        self.dimension = dimension
        self.dataKey = dataKey
        (self.threshold, self.pool) = (threshold, pool ?? Self.background)
        (self.memory, self.disk, self.path) = (memory, disk, path)
        recent = try FlatIndex(dimension: dimension)
        file = nil
        state = NIOLockedValueBox(State())
    }

    /// Opens what ``save(to:name:)`` wrote.
    ///
    /// - Parameters:
    ///   - dataKey: decrypts it into memory.
    ///   - key: the key of a name in the files, or nil if that is gone.
    /// - Throws: ``IndexError``.
    package init(
        opening path: String, threshold: Int = graphThreshold, memory: Int = .max, disk: Int = .max,
        pool: ThreadPool? = nil, dataKey: DataKey? = nil,
        key: (Int) -> Int? = { $0 }
    ) throws {
        let file = try IndexFile(opening: path, kind: .tiered, dataKey: dataKey)
        self.dataKey = dataKey
        recent = try FlatIndex(file: file, key: key)
        dimension = recent.dimension
        (self.threshold, self.pool) = (threshold, pool ?? Self.background)
        (self.memory, self.disk, self.path) = (memory, disk, path)
        self.file = file
        var state = State()
        state.position = recent.position
        if file.values[Self.graphValue] == Self.onDisk {
            let lists = try ClusteredIndex(opening: Self.lists(of: path), key: key)
            guard lists.dimension == dimension else {
                throw IndexError(.corrupt, "\(path) is damaged. Delete it; it is made again.")
            }
            // They are written first: what came between is applied again.
            state.position = min(state.position, lists.position)
            state.large = lists
        } else if file.values[Self.graphValue] > 0 {
            let graph = try GraphIndex(
                file: file, value: Self.graphValue, section: Self.graphSection, pool: self.pool,
                repairsItself: false,
                key: key)
            guard graph.dimension == dimension else {
                throw IndexError(.corrupt, "\(path) is damaged. Delete it; it is made again.")
            }
            state.large = graph
        }
        self.state = NIOLockedValueBox(state)
    }

    /// Where a saved index stood: in the order of vectors, and in the journal that they belong to.
    package struct Saved: Equatable, Sendable {
        /// The position of its newest vector.
        package var position: Int64
        /// The journal's position, and a hash of the entry there; 0 where nobody named one.
        package var journal: Int64, mark: Int
    }

    /// Where the file at `path` stood; nil if there is none that can be opened.
    package static func saved(at path: String, dataKey: DataKey?) -> Saved? {
        (try? IndexFile(opening: path, kind: .tiered, dataKey: dataKey, isForValues: true)).map {
            Saved(
                position: Int64($0.values[2]), journal: Int64($0.values[journalValue]),
                mark: $0.values[journalValue + 1])
        }
    }

    private static func lists(of path: String) -> String { path + ".lists" }

    /// Deletes an index's files; none is no error.
    public static func removeFiles(at path: String) {
        for file in [path, lists(of: path), lists(of: path) + ".postings"] { unlink(file) }
    }

    /// Tells whether the file at `path` is a whole index, as it was written; reads it all.
    package static func isSound(at path: String, dataKey: DataKey?) -> Bool {
        guard let file = try? IndexFile(opening: path, kind: .tiered, dataKey: dataKey) else {
            return false
        }
        let files =
            file.values[graphValue] == onDisk
            ? [file, try? IndexFile(opening: Self.lists(of: path), kind: .clustered)] : [file]
        return files.allSatisfy { file in
            file.map { file in file.sections.indices.allSatisfy(file.isSound) } ?? false
        }
    }

    /// Tells whether the opened file is what was written; reads it all.
    public func verify() -> Bool {
        file.map { file in file.sections.indices.allSatisfy(file.isSound) } ?? true
    }

    /// Vectors in both parts.
    public var count: Int { recent.count + (state.withLockedValue { $0.large }?.count ?? 0) }
    /// The journal's position, which is that of the newest change in either part.
    public var position: Int64 { state.withLockedValue { $0.position } }
    /// Both parts together.
    public var footprint: IndexFootprint {
        let large = state.withLockedValue { $0.large }?.footprint ?? IndexFootprint(memory: 0)
        return IndexFootprint(memory: recent.footprint.memory + large.memory, disk: large.disk)
    }
    /// True if `maintain()` has something to do.
    public var needsMaintenance: Bool {
        recent.count
            >= (state.withLockedValue { $0.large } == nil
                ? threshold : min(threshold, Self.recentLimit))
    }

    /// Inserts go to the part that is scanned; deletions to both. While the large part is busy,
    /// they are noted and done afterwards.
    public func apply(_ changes: VectorChanges) throws {
        _ = try Vector.checked(changes, dimension: dimension)
        try writer.withLock {
            let keys = changes.deleted + changes.inserted.map(\.key)
            let graph = state.withLockedValue { state in
                if state.isBusy { state.overtaken.formUnion(keys) }
                return state.isBusy ? nil : state.large
            }
            try recent.apply(VectorChanges(inserted: changes.inserted, deleted: changes.deleted))
            try graph?.apply(VectorChanges(deleted: keys))
            state.withLockedValue { $0.position = max($0.position, changes.position) }
        }
    }

    /// Runs what takes long and needs the graph to itself. Changes go on: what they delete is left
    /// out of answers, and deleted afterwards.
    private func withGraph<R>(_ body: (_ isOvertaken: (Int) -> Bool) throws -> R) throws -> R {
        writer.withLock { state.withLockedValue { $0.isBusy = true } }
        let result = Result {
            try body { key in self.state.withLockedValue { $0.overtaken.contains(key) } }
        }
        try writer.withLock {
            let (graph, overtaken) = state.withLockedValue { ($0.large, $0.overtaken) }
            try graph?.apply(VectorChanges(deleted: Array(overtaken)))
            state.withLockedValue { ($0.overtaken, $0.isBusy) = ([], false) }
        }
        return try result.get()
    }

    /// The best of both parts; a key that is in both counts with its new vector.
    public func search(_ query: [Float], _ options: VectorSearch) throws -> [VectorMatch] {
        // The new ones first: what is moved meanwhile is then in one of the two answers, or in
        // both.
        var found = try recent.search(query, options)
        let (graph, overtaken) = state.withLockedValue { ($0.large, $0.overtaken) }
        guard let graph else { return found }
        let newer = Set(found.map(\.key))
        var more = options
        more.count += overtaken.count
        found += try graph.search(query, more).filter {
            !newer.contains($0.key) && !overtaken.contains($0.key)
        }
        return Array(found.sorted(by: VectorMatch.isBefore).prefix(max(0, options.count)))
    }

    /// From the part that is scanned, where the newer vector is.
    public func add(_ key: Int, to sum: UnsafeMutablePointer<Float>) -> Bool {
        recent.add(key, to: sum) || state.withLockedValue { $0.large }?.add(key, to: sum) ?? false
    }

    /// Moves new vectors to the graph when there are enough, and repairs the graph after deletions.
    /// Searches and changes go on meanwhile.
    ///
    /// - Parameter shouldStop: asked between parts of some thousand; what was moved until then
    ///   stays moved.
    /// - Throws: ``IndexError``; what was not moved is still scanned.
    public func maintain(until shouldStop: () -> Bool = { false }) throws {
        try maintenance.withLock {
            while needsMaintenance && !shouldStop() {
                try withGraph { isOvertaken in
                    let large: any VectorIndex =
                        try state.withLockedValue { $0.large }
                        ?? GraphIndex(dimension: dimension, pool: pool, repairsItself: false)
                    // In rising order, so that a graph's places are in the order of the documents:
                    // files are opened sooner, and filters need no translation.
                    let moved = recent.allKeys.sorted().prefix(4_096).compactMap { key in
                        recent.vector(key).map { (key: key, vector: $0) }
                    }
                    try large.apply(VectorChanges(inserted: moved))
                    // In the graph first: a search finds them in one or in both. What was changed
                    // meanwhile stays where it is now.
                    try writer.withLock {
                        state.withLockedValue { $0.large = large }
                        try recent.apply(
                            VectorChanges(deleted: moved.map(\.key).filter { !isOvertaken($0) }))
                    }
                }
            }
            guard let graph = state.withLockedValue({ $0.large }) as? GraphIndex else { return }
            if dataKey == nil, let path, graph.footprint.memory > memory,
                ClusteredIndex.estimatedBytes(graph.count, dimension: dimension) <= disk
            {
                try withGraph { _ in try moveToDisk(graph, Self.lists(of: path), until: shouldStop)
                }
            } else {
                try withGraph { _ in graph.maintain() }
            }
        }
    }

    /// Puts all that the graph has into lists on disk, and these in its place.
    private func moveToDisk(_ graph: GraphIndex, _ path: String, until shouldStop: () -> Bool)
        throws
    {
        let lists = try ClusteredIndex(path: path, dimension: dimension)
        let keys = graph.allKeys
        for start in stride(from: 0, to: keys.count, by: 1024) {
            guard !shouldStop() else { return }
            let part = keys[start..<min(keys.count, start + 1024)]
            try lists.apply(
                VectorChanges(
                    inserted: part.compactMap { key in
                        graph.vector(key).map { (key: key, vector: $0) }
                    }))
        }
        state.withLockedValue { $0.large = lists }
    }

    /// Both parts in one file; lists on disk are saved beside it first.
    public func save(to path: String, name: (Int) -> Int) throws {
        try save(to: path, journal: 0, mark: 0, name: name)
    }

    /// As ``save(to:name:)``, with the journal's position that it belongs to, and a hash of the entry
    /// there.
    package func save(to path: String, journal: Int64, mark: Int, name: (Int) -> Int) throws {
        try maintenance.withLock {
            try withGraph { _ in
                // The new ones are few and copied; the graph is written as it lies.
                let (values, copies) = try writer.withLock {
                    try recent.apply(VectorChanges(position: position))
                    var parts: (values: [Int], sections: [Region<UInt8>]) = ([], [])
                    try recent.withParts(name: name) { values, sections in
                        parts = (
                            values,
                            try sections.map { bytes in
                                let copy = try Region<UInt8>(capacity: bytes.count)
                                UnsafeMutableRawBufferPointer(start: copy.base, count: bytes.count)
                                    .copyMemory(
                                        from: bytes)
                                return copy
                            }
                        )
                    }
                    return parts
                }
                let sections = copies.map { $0.bytes($0.capacity) }
                defer { withExtendedLifetime(copies) {} }
                let large = state.withLockedValue { $0.large }
                func header(_ graph: [Int]) -> [Int] {
                    var all = [Int](repeating: 0, count: Self.journalValue) + [Int(journal), mark]
                    all.replaceSubrange(0..<values.count, with: values)
                    all.replaceSubrange(Self.graphValue..<Self.graphValue + graph.count, with: graph)
                    return all
                }
                if let lists = large as? ClusteredIndex {
                    try lists.apply(VectorChanges(position: Int64(values[2])))
                    try lists.save(to: Self.lists(of: path), name: name)
                    return try IndexFile.write(
                        path, kind: .tiered, values: header([Self.onDisk]),
                        sections: sections,
                        dataKey: dataKey)
                }
                guard let graph = large as? GraphIndex else {
                    return try IndexFile.write(
                        path, kind: .tiered, values: header([]), sections: sections, dataKey: dataKey)
                }
                try graph.withParts(name: name) { graphValues, graphSections in
                    try IndexFile.write(
                        path, kind: .tiered, values: header(graphValues),
                        sections: sections + graphSections,
                        dataKey: dataKey)
                }
            }
        }
    }
}
