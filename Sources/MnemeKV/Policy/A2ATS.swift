import Foundation
import MnemeBase
public import MnemeModels

/// Scores every row by a codebook of keys that knows what queries look at, and reads the pages that it
/// says have most of the attention (A²ATS, He et al. 2025).
///
/// Codes stand for keys as they were before positions were put into them, so that like keys share one
/// wherever they stand; their distance to a query counts as `distance` if it is larger than that (windowed
/// rotary embedding), which the last pages, that are always read, make up for. The centres of a group of
/// elements are found by k-means where an element counts by the mean square of the prompt's last queries
/// (the diagonal of the paper's query-aware metric). Later keys take the nearest centre.
public struct A2ATS: KVIndexSelector {
    /// The rotation that is taken back, and the distance that far keys count as.
    public var rope: RotaryEmbedding, distance: Int
    /// Elements that a code stands for, and rounds of k-means.
    public var elements: Int, rounds: Int
    /// Whether elements count by what queries look at; all alike otherwise.
    public var isAware: Bool

    /// By default a code for each eight elements, of 64 centres at most.
    public init(rope: RotaryEmbedding, distance: Int = 64, elements: Int = 8, isAware: Bool = true) {
        (self.rope, self.distance, self.elements, self.isAware) = (rope, distance, elements, isAware)
        rounds = 4
    }

    /// For the weights of elements.
    public var needsQueries: Bool { isAware }
    /// Codes of single keys.
    public func index() -> any KVPageIndex { Index(self) }

    private final class Index: KVPageIndex {
        private let settings: A2ATS
        private var codes = KeyCodes(parts: 0)
        /// Of each part, the centres.
        private var books: [Codebook] = []

        init(_ settings: A2ATS) { self.settings = settings }

        var bytes: Int { codes.codes.count + 4 * books.reduce(0) { $0 + $1.centres.count } }

        func add(_ rows: KVPageRows) {
            guard let dimension = rows.keys.first?.count else { return }
            let keys = rows.keys.enumerated().map { settings.rope.rotated($1, by: -(rows.first + $0)) }
            if books.isEmpty {
                let end = rows.first + rows.keys.count
                var weights = [Float](repeating: 1e-6, count: dimension)
                for query in rows.queries {
                    for (e, x) in settings.rope.rotated(query, by: settings.distance - end).enumerated() {
                        weights[e] += x * x
                    }
                }
                codes = KeyCodes(parts: (dimension + settings.elements - 1) / settings.elements)
                books = (0..<codes.parts).map { part in
                    let range = self.range(part, dimension)
                    let here = Array(weights[range])
                    return Codebook(
                        Self.centres(keys.map { Array($0[range]) }, weights: here, rounds: settings.rounds), here)
                }
            }
            for key in keys {
                codes.append((0..<codes.parts).map { UInt8(books[$0].nearest(key[range($0, dimension)])) })
            }
        }

        private func range(_ part: Int, _ dimension: Int) -> Range<Int> {
            part * settings.elements..<min(dimension, (part + 1) * settings.elements)
        }

        func score(_ query: [Float], at position: Int, into scores: UnsafeMutablePointer<Float>) {
            let query = settings.rope.rotated(query, by: settings.distance - position)
            var table = [Float](repeating: 0, count: codes.parts << 8)
            for part in 0..<codes.parts {
                let elements = query[range(part, query.count)]
                let centres = books[part].centres
                for code in 0..<centres.count / elements.count {
                    table[part << 8 | code] = elements.enumerated().reduce(0) {
                        $0 + $1.element * centres[code * elements.count + $1.offset]
                    }
                }
            }
            codes.score(table, into: scores)
        }

        /// Lloyd's algorithm; it begins with rows drawn by their number.
        private static func centres(_ rows: [[Float]], weights: [Float], rounds: Int) -> [[Float]] {
            let count = min(64, max(8, rows.count / 16), rows.count)
            var random = SplitMix64(seed: 110)
            var centres = rows.shuffled(using: &random).prefix(count).map(\.self)
            for _ in 0..<rounds {
                var sums = centres.map { $0.map { _ in Float(0) } }
                var counts = [Float](repeating: 0, count: count)
                let codebook = Codebook(centres, weights)
                for row in rows {
                    let near = codebook.nearest(row[...])
                    counts[near] += 1
                    for (e, x) in row.enumerated() { sums[near][e] += x }
                }
                for i in 0..<count where counts[i] > 0 { centres[i] = sums[i].map { $0 / counts[i] } }
            }
            return centres
        }
    }

    /// Centres of one part, side by side.
    private struct Codebook {
        let centres: [Float], weights: [Float]

        init(_ centres: [[Float]], _ weights: [Float]) {
            (self.centres, self.weights) = (centres.flatMap(\.self), weights)
        }

        /// The centre at the least weighted distance.
        func nearest(_ key: ArraySlice<Float>) -> Int {
            var best = (index: 0, distance: Float.infinity)
            key.withUnsafeBufferPointer { key in
                centres.withUnsafeBufferPointer { centres in
                    weights.withUnsafeBufferPointer { weights in
                        for i in 0..<centres.count / max(1, key.count) {
                            var distance: Float = 0
                            for e in 0..<key.count {
                                let difference = key[e] - centres[i * key.count + e]
                                distance += weights[e] * difference * difference
                            }
                            if distance < best.distance { best = (i, distance) }
                        }
                    }
                }
            }
            return best.index
        }
    }
}

extension RotaryEmbedding {
    /// A vector of one head as if it stood so many positions further on.
    package func rotated(_ vector: [Float], by distance: Int) -> [Float] {
        var result = vector
        let half = frequencies.count
        for (i, frequency) in frequencies.enumerated() {
            let (a, b) = interleaved ? (2 * i, 2 * i + 1) : (i, i + half)
            let (cosine, sine) = (Float(cos(Double(distance) * frequency)), Float(sin(Double(distance) * frequency)))
            result[a] = vector[a] * cosine - vector[b] * sine
            result[b] = vector[b] * cosine + vector[a] * sine
        }
        return result
    }
}
