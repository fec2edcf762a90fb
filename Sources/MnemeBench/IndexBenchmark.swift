import Foundation
import Mneme
import MnemeIndex
import MnemeNumerics
import Synchronization

/// Vector search on real vectors: how much of the exact answer, how fast, in how much memory.
///
/// Recall is the share of the exact ten nearest neighbours. Speeds are queries for each second of
/// CPU time by one thread, so that a busy machine changes them little; latencies are wall-clock
/// times.
public struct IndexBenchmark: Sendable {
    /// Recall and speed of an index at one beam width.
    public struct Point: Sendable, Codable {
        /// Candidates kept while searching.
        public var effort: Int
        /// Share of the exact ten nearest that was found.
        public var recall: Double
        /// Queries for each second of CPU time, one thread.
        public var queriesPerSecond: Double
    }

    /// One kind of index at one size, ours or a peer's.
    public struct Row: Sendable, Codable {
        /// The name of the index or library.
        public var name: String
        /// Vectors.
        public var size: Int
        /// CPU time of building, in seconds.
        public var buildSeconds: Double?
        /// Bytes in memory.
        public var memory: Int?
        /// Bytes of the file.
        public var disk: Int?
        /// From opening the file to the first answer, in milliseconds.
        public var openMilliseconds: Double?
        /// Latencies at the default effort, in milliseconds.
        public var p50: Double?
        /// The slowest in a hundred.
        public var p99: Double?
        /// The points, by beam width or lists read.
        public var points: [Point]
    }

    /// Searches among some of the vectors.
    public struct Filtered: Sendable, Codable {
        /// Share of the vectors that passes.
        public var share: Double
        /// Share of the exact filtered answer that was found.
        public var recall: Double
        /// Time of a search divided by that of one without a filter.
        public var timesUnfiltered: Double
    }

    /// Vectors on disk, around centroids in memory.
    public struct Clustered: Sendable, Codable {
        /// Vectors.
        public var size: Int
        /// CPU time of building, in seconds.
        public var buildSeconds: Double
        /// Bytes in memory.
        public var memory: Int
        /// Bytes of the lists.
        public var disk: Int
        /// Lists.
        public var centroids: Int
        /// The points, by beam width or lists read.
        public var points: [ClusteredPoint]
    }

    /// Recall and speed of the clustered index at one number of lists.
    public struct ClusteredPoint: Sendable, Codable {
        /// Lists read at most.
        public var effort: Int
        /// Share of the exact ten nearest that was found.
        public var recall: Double
        /// Pages of 4 KiB read for a query.
        public var pages: Double
        /// Median latency in milliseconds, the lists in the system's cache and not.
        public var warm: Double
        /// As `warm`, from the disk.
        public var cold: Double
    }

    /// A fifth of all vectors is replaced, between searches.
    public struct Updates: Sendable, Codable {
        /// Vectors replaced (deleted and inserted) a second, all threads.
        public var replacementsPerSecond: Double
        /// Recall at the default effort before and afterwards.
        public var recallBefore: Double
        /// Recall after the updates.
        public var recallAfter: Double
    }

    /// The measurements.
    public struct Report: Sendable, Codable {
        /// The file of vectors.
        public var file: String
        /// Elements of a vector.
        public var dimension: Int
        /// Queries asked.
        public var queries: Int
        /// Bytes a second that one thread reads from memory.
        public var bandwidth: Double
        /// Rows of indexes; ours come first.
        public var rows: [Row]
        /// Share of the bandwidth that a scan of the largest size reaches.
        public var scanShare: Double
        /// Figures of the graph of the largest size.
        public var filtered: [Filtered]
        /// Figures of the graph of the largest size.
        public var updates: Updates?
        /// Figures of clustered indexes on disk, by size.
        public var clustered: [Clustered]
    }

    /// The vectors, how many of them are indexed in turn, and how many of the last ones are
    /// queries.
    let file: String, sizes: [Int], queryCount: Int
    /// Rows of other libraries, shown beside.
    let peers: [Row]

    /// - Parameters:
    ///     - sizes: how many vectors, several times; nil takes 10,000, 100,000 and 1,000,000, as far
    ///       as the file goes.
    ///     - peers: rows that scripts/peers/index_peers.py measured.
    public init(file: String, sizes: [Int]?, queries: Int, peersFile: String?) throws {
        self.file = file
        self.sizes = sizes ?? [10_000, 100_000, 1_000_000]
        queryCount = queries
        peers =
            try peersFile.map { path in
                guard let data = FileManager.default.contents(atPath: path) else {
                    throw InputError("\(path) cannot be read.")
                }
                return try JSONDecoder().decode([Row].self, from: data)
            } ?? []
    }

    /// Runs everything; `progress` says what is being done.
    public func run(folder: String, progress: (String) -> Void) throws -> Report {
        let set = try VectorFile(path: file)
        let possible = sizes.filter { $0 > 0 && $0 + queryCount <= set.count }.sorted()
        guard queryCount > 0, let largest = possible.last else {
            throw InputError(
                "\(file) holds \(set.count) vectors: too few for one of the sizes and \(queryCount) queries."
            )
        }
        let bandwidth = measuredBandwidth(pool: ThreadPool(threads: 1))
        var report = Report(
            file: file, dimension: set.dimension, queries: queryCount, bandwidth: bandwidth,
            rows: [], scanShare: 0,
            filtered: [], updates: nil, clustered: [])
        try set.withValues { values in
            let d = set.dimension
            /// A row of the file.
            func vector(_ i: Int) -> [Float] { Array(values[i * d..<(i + 1) * d]) }
            let queries = (set.count - queryCount..<set.count).map(vector)
            for size in possible {
                progress("\(size) vectors: the exact answers")
                let truth = Self.exact(queries, values, d, 0..<size) { _ in true }
                // Exact search: few queries are enough, as each reads everything.
                progress("\(size) vectors: scanning")
                let flat = try FlatIndex(dimension: d)
                let flatBuild = try Self.cpu { try Self.fill(flat, size, vector) }
                let few = Array(queries.prefix(max(20, min(queryCount, 20_000_000 / size))))
                var row = try measure(flat, "mneme scan", size, few, truth, efforts: [10])
                row.buildSeconds = flatBuild
                let scan = row.points[0].queriesPerSecond
                report.scanShare = scan * Double(size * (d + 8)) / bandwidth
                report.rows.append(row)
                // Thirty-two queries at once read the codes once.
                var batched = row
                batched.name = "mneme scan, 32 at once"
                let groups = stride(from: 0, to: few.count, by: 32).map {
                    Array(few[$0..<min(few.count, $0 + 32)])
                }
                let seconds = try Self.cpu {
                    for group in groups { _ = try flat.search(batch: group, VectorSearch(10)) }
                }
                batched.points[0].queriesPerSecond = Double(few.count) / seconds
                (batched.p50, batched.p99) = (nil, nil)
                report.rows.append(batched)

                progress("\(size) vectors: writing clusters")
                report.clustered.append(try clustered(size, queries, truth, folder, vector, d))
                // The graph, by beam width; then its file, to the first answer.
                progress("\(size) vectors: building the graph")
                let graph = try GraphIndex(dimension: d)
                let build = try Self.cpu { try Self.fill(graph, size, vector) }
                row = try measure(
                    graph, "mneme graph", size, queries, truth,
                    efforts: [16, 24, 32, 48, 64, 96, 128, 192, 256, 384])
                row.buildSeconds = build
                let path = folder + "/graph"
                try graph.save(to: path)
                row.disk =
                    (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
                let start = ContinuousClock.now
                let opened = try GraphIndex(opening: path)
                _ = try opened.search(queries[0], VectorSearch(10))
                row.openMilliseconds = (ContinuousClock.now - start) / .milliseconds(1)
                report.rows.append(row)
                if size == largest {
                    progress("\(size) vectors: filters")
                    report.filtered = try filtered(graph, size, queries, values, d)
                    progress("\(size) vectors: updates")
                    report.updates = try updates(graph, size, queries, truth, vector)
                }
            }
        }
        report.rows += peers.filter { possible.contains($0.size) }
        return report
    }

    /// Inserts vectors as a user would, some thousand at a time.
    private static func fill(_ index: any VectorIndex, _ size: Int, _ vector: (Int) -> [Float])
        throws
    {
        for start in stride(from: 0, to: size, by: 10_000) {
            try index.apply(
                VectorChanges(
                    inserted: (start..<min(size, start + 10_000)).map { ($0, vector($0)) }))
        }
    }

    /// Recall and speed of one index by beam width, the best of three runs each, then latencies at
    /// the default.
    private func measure(
        _ index: any VectorIndex, _ name: String, _ size: Int, _ queries: [[Float]],
        _ truth: [[Int]], efforts: [Int]
    ) throws -> Row {
        var row = Row(name: name, size: size, memory: index.footprint.memory, points: [])
        for effort in efforts {
            var recall = 0.0
            var best = Double.infinity
            for _ in 0..<3 {
                var found: [[VectorMatch]] = []
                let seconds = try Self.cpu {
                    for query in queries {
                        found.append(try index.search(query, VectorSearch(10, effort: effort)))
                    }
                }
                best = min(best, seconds)
                recall = Self.recall(found, truth)
            }
            row.points.append(
                Point(
                    effort: effort, recall: recall, queriesPerSecond: Double(queries.count) / best))
        }
        var times: [Double] = []
        for query in queries {
            let start = ContinuousClock.now
            _ = try index.search(query, VectorSearch(10))
            times.append((ContinuousClock.now - start) / .milliseconds(1))
        }
        times.sort()
        (row.p50, row.p99) = (times.percentile(50), times.percentile(99))
        return row
    }

    /// The mean share of the right keys that was found.
    private static func recall(_ found: [[VectorMatch]], _ truth: [[Int]]) -> Double {
        zip(found, truth).reduce(0.0) {
            $0 + Double(Set($1.0.map(\.key)).intersection($1.1).count) / Double(max(1, $1.1.count))
        } / Double(max(1, found.count))
    }

    /// Filters that let one in 2 up to one in 10,000 pass, against the exact filtered answers.
    /// Sizes with fewer than ten that pass are left out.
    private func filtered(
        _ graph: GraphIndex, _ size: Int, _ queries: [[Float]],
        _ values: UnsafeBufferPointer<Float>, _ d: Int
    ) throws -> [Filtered] {
        let queries = Array(queries.prefix(200))
        // Time without a filter, the best of three, to compare with.
        let plain = try (0..<3).map { _ in
            try Self.cpu { for query in queries { _ = try graph.search(query, VectorSearch(10)) } }
        }.min()!
        return try [2, 5, 10, 20, 50, 100, 1000, 10_000].filter { $0 * 10 <= size }.map { every in
            // Spread by a hash, so that what passes has nothing to do with place or meaning.
            let passes = { @Sendable (key: Int) in
                Int((UInt64(truncatingIfNeeded: key) &* 0x9e37_79b9_7f4a_7c15) >> 40) % every == 0
            }
            let filter = KeySet((0..<size).lazy.filter(passes))
            let truth = Self.exact(queries, values, d, 0..<size, where: passes)
            var found: [[VectorMatch]] = []
            let seconds = try (0..<3).map { _ in
                try Self.cpu {
                    found = try queries.map {
                        try graph.search($0, VectorSearch(10, filter: filter))
                    }
                }
            }.min()!
            return Filtered(
                share: 1 / Double(every), recall: Self.recall(found, truth),
                timesUnfiltered: seconds / plain)
        }
    }

    /// Lists on disk: pages read for a query, and latency with the lists in the system's cache and
    /// without (twenty queries).
    private func clustered(
        _ size: Int, _ queries: [[Float]], _ truth: [[Int]], _ folder: String,
        _ vector: (Int) -> [Float], _ d: Int
    ) throws -> Clustered {
        let path = folder + "/clusters-\(size)"
        defer {
            for file in [path, path + ".postings"] {
                try? FileManager.default.removeItem(atPath: file)
            }
        }
        let index = try ClusteredIndex(path: path, dimension: d)
        let build = try Self.cpu { try Self.fill(index, size, vector) }
        try index.save(to: path)
        var report = Clustered(
            size: size, buildSeconds: build, memory: index.footprint.memory,
            disk: index.footprint.disk,
            centroids: index.centroidCount, points: [])
        for effort in [8, 16, 32, 64, 128] {
            let before = index.readCount.pages
            var found: [[VectorMatch]] = []
            var warm: [Double] = []
            var cold: [Double] = []
            for query in queries {
                found.append(try index.search(query, VectorSearch(10, effort: effort)))
            }
            let pages = Double(index.readCount.pages - before) / Double(queries.count)
            for (i, query) in queries.enumerated() {
                let start = ContinuousClock.now
                _ = try index.search(query, VectorSearch(10, effort: effort))
                warm.append((ContinuousClock.now - start) / .milliseconds(1))
                guard i < 20 else { continue }
                index.dropCaches()
                let again = ContinuousClock.now
                _ = try index.search(query, VectorSearch(10, effort: effort))
                cold.append((ContinuousClock.now - again) / .milliseconds(1))
            }
            report.points.append(
                ClusteredPoint(
                    effort: effort, recall: Self.recall(found, truth), pages: pages,
                    warm: warm.sorted().percentile(50),
                    cold: cold.sorted().percentile(50)))
        }
        return report
    }

    /// Replaces a fifth of the vectors by themselves, in changing order: links are lost and made
    /// anew, the right answers stay.
    private func updates(
        _ graph: GraphIndex, _ size: Int, _ queries: [[Float]], _ truth: [[Int]],
        _ vector: (Int) -> [Float]
    ) throws -> Updates {
        func recall() throws -> Double {
            Self.recall(try queries.map { try graph.search($0, VectorSearch(10)) }, truth)
        }
        let before = try recall()
        let keys = stride(from: 3, to: size, by: 5).map { $0 }.shuffled()
        let start = ContinuousClock.now
        for part in stride(from: 0, to: keys.count, by: 1000) {
            let group = keys[part..<min(keys.count, part + 1000)]
            try graph.apply(VectorChanges(deleted: Array(group)))
            try graph.apply(VectorChanges(inserted: group.map { ($0, vector($0)) }))
        }
        return Updates(
            replacementsPerSecond: Double(keys.count)
                / ((ContinuousClock.now - start) / .seconds(1)),
            recallBefore: before, recallAfter: try recall())
    }

    /// Keys of the ten nearest by floats, on all threads: the truth that recall is measured by.
    ///
    /// - Parameters:
    ///   - queries: vectors of unit length.
    ///   - values: all elements, row after row.
    ///   - d: elements of a vector.
    ///   - keys: rows that are searched.
    ///   - allowed: which of them pass.
    static func exact(
        _ queries: [[Float]], _ values: UnsafeBufferPointer<Float>, _ d: Int, _ keys: Range<Int>,
        where allowed: @Sendable (Int) -> Bool
    )
        -> [[Int]]
    {
        let results = Mutex([[(score: Float, key: Int)]](repeating: [], count: queries.count))
        let next = Atomic(keys.lowerBound)
        let block = 512
        nonisolated(unsafe) let values = values
        /// The ten best, ties by key, so that the answer does not depend on threads.
        func best(_ items: [(score: Float, key: Int)]) -> [(score: Float, key: Int)] {
            Array(
                items.sorted { $0.score != $1.score ? $0.score > $1.score : $0.key < $1.key }
                    .prefix(10))
        }
        ThreadPool.shared.run { _, _ in
            var mine = [[(score: Float, key: Int)]](repeating: [], count: queries.count)
            while true {
                let start = next.add(block, ordering: .relaxed).oldValue
                guard start < keys.upperBound else { break }
                let rows = (start..<min(keys.upperBound, start + block)).filter(allowed)
                for (q, query) in queries.enumerated() {
                    let floor = mine[q].count == 10 ? mine[q][9].score : -.infinity
                    let better = rows.lazy.map {
                        (score: dotProduct(query, values.baseAddress! + $0 * d, count: d), key: $0)
                    }.filter { $0.score > floor }
                    let found = Array(better)
                    if !found.isEmpty { mine[q] = best(mine[q] + found) }
                }
            }
            results.withLock { all in for q in queries.indices { all[q] = best(all[q] + mine[q]) } }
        }
        return results.withLock { $0.map { $0.map(\.key) } }
    }

    /// CPU time of this process spent in `body`, in seconds.
    static func cpu(_ body: () throws -> Void) rethrows -> Double {
        let start = clock()
        try body()
        return Double(clock() - start) / Double(CLOCKS_PER_SEC)
    }

    /// Recall against speed of every graph at one size, as a picture.
    public static func plot(_ report: Report, size: Int) -> String {
        let rows = report.rows.filter { $0.size == size && $0.points.count > 1 }
        return LinePlot(
            title:
                "\(size.formatted(.number.locale(Locale(identifier: "en_US")))) × \(report.dimension), ten nearest, one thread",
            xLabel: "recall@10",
            yLabel: "queries for each CPU-second",
            series: rows.map { row in
                LinePlot.Series(
                    name: row.name,
                    points: row.points.filter { $0.recall >= 0.85 }.map {
                        ($0.recall, $0.queriesPerSecond)
                    },
                    isHighlighted: row.name.hasPrefix("mneme"))
            }
        ).svg
    }

    /// A plot of the bytes read from disk for nine of the ten nearest, as the index grows.
    public static func growth(_ report: Report) -> String {
        /// Pages for a query at a recall, on the line between the two points around it.
        func at(_ recall: Double, _ row: Clustered) -> Double? {
            guard let after = row.points.firstIndex(where: { $0.recall >= recall }) else {
                return nil
            }
            guard after > 0 else { return row.points[0].pages }
            let (a, b) = (row.points[after - 1], row.points[after])
            return a.pages + (recall - a.recall) / max(1e-9, b.recall - a.recall)
                * (b.pages - a.pages)
        }
        return LinePlot(
            title: "Vectors on disk: pages of 4 KiB read for a query", xLabel: "vectors",
            yLabel: "pages",
            isLogarithmic: (true, false),
            series: [0.8, 0.85, 0.9].map { recall in
                LinePlot.Series(
                    name: String(format: "recall@10 of %.2f", recall),
                    points: report.clustered.compactMap { row in
                        at(recall, row).map { (Double(row.size), $0) }
                    },
                    isHighlighted: recall == 0.9)
            }
        ).svg
    }

    /// Queries a second at a recall, between the two points around it; nil if it is not reached.
    public static func speed(_ row: Row, recall: Double) -> Double? {
        let points = row.points.sorted { $0.recall < $1.recall }
        guard let after = points.firstIndex(where: { $0.recall >= recall }) else { return nil }
        guard after > 0 else { return points[0].queriesPerSecond }
        let (a, b) = (points[after - 1], points[after])
        let share = (recall - a.recall) / max(1e-12, b.recall - a.recall)
        // The better of a point that reaches it and the line between, in logarithms.
        return max(
            b.queriesPerSecond,
            exp(log(a.queriesPerSecond) * (1 - share) + log(b.queriesPerSecond) * share))
    }
}
