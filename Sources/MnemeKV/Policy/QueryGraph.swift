/// A graph over a head's keys in which keys are linked that the same queries look for (RetrievalAttention's index, Liu et
/// al. 2024, after RoarGraph, Chen et al. 2024): queries lie elsewhere than keys, so that links between near keys lead
/// them astray.
///
/// Each of the prompt's last queries finds its best keys among all; these are linked along their ranks, and with the best
/// one. Keys that no query looked for are reached by their neighbours in the text. A search begins at the keys that were
/// best most often, and goes on from the best that it has met.
package struct QueryGraph {
    private let dimension: Int
    /// Keys one behind the other, the links of each, and where searches begin.
    private var keys: [Float] = [], links: [[Int32]] = [], entries: [Int32] = []
    /// The most links of a key beside those to its neighbours, and the best keys of a query that are linked.
    private let most = 24, list = 32
    /// Keys that the last search met.
    package private(set) var met = 0

    package init(dimension: Int) { self.dimension = dimension }

    /// Keys that are there.
    var count: Int { links.count }

    /// Adds keys, and links what queries find among all.
    ///
    /// - Complexity: O(queries·keys·dimension).
    package mutating func add(_ new: [[Float]], queries: [[Float]]) {
        for key in new {
            keys += key
            let row = Int32(links.count)
            links.append(row > 0 ? [row - 1] : [])
            if row > 0 { links[Int(row) - 1].append(row) }
        }
        var wins: [Int32: Int] = [:]
        for query in queries {
            let scores = (0..<count).map { score(query, $0) }
            let best = scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }.prefix(list).map { Int32($0) }
            guard let first = best.first else { continue }
            wins[first, default: 0] += 1
            for (a, b) in zip(best, best.dropFirst()) { link(a, b) }
            for other in best.dropFirst() { link(first, other) }
        }
        if !wins.isEmpty {
            entries = wins.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.prefix(8).map(\.key)
        } else if entries.isEmpty, count > 0 {
            // Without queries, places all over the text.
            entries = stride(from: 0, to: count, by: max(1, count / 8)).map { Int32($0) }
        }
    }

    private mutating func link(_ a: Int32, _ b: Int32) {
        for (from, to) in [(Int(a), b), (Int(b), a)] where from != Int(to) && links[from].count < most + 2 {
            if !links[from].contains(to) { links[from].append(to) }
        }
    }

    private func score(_ query: [Float], _ row: Int) -> Float {
        keys.withUnsafeBufferPointer { keys in
            var sum: Float = 0
            for e in 0..<dimension { sum += query[e] * keys[row * dimension + e] }
            return sum
        }
    }

    /// The keys of highest inner product that a search finds, the best first.
    ///
    /// - Parameter effort: candidates that the search keeps.
    package mutating func search(_ query: [Float], _ found: Int, effort: Int) -> [(row: Int, score: Float)] {
        var seen = [Bool](repeating: false, count: count)
        var beam: [(row: Int, score: Float, isDone: Bool)] = []
        met = 0
        func meet(_ rows: [Int32]) {
            for row in rows.map({ Int($0) }) where !seen[row] {
                seen[row] = true
                met += 1
                let score = score(query, row)
                if beam.count == effort, let last = beam.last, last.score >= score { continue }
                // The beam is in order: the place is found by halving.
                var (low, high) = (0, beam.count)
                while low < high {
                    let middle = (low + high) / 2
                    if beam[middle].score >= score { low = middle + 1 } else { high = middle }
                }
                beam.insert((row, score, false), at: low)
                if beam.count > effort { beam.removeLast() }
            }
        }
        meet(entries)
        while let next = beam.firstIndex(where: { !$0.isDone }) {
            beam[next].isDone = true
            meet(links[beam[next].row])
        }
        return beam.prefix(found).map { ($0.row, $0.score) }
    }
}
