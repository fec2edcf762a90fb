import Foundation
import MnemeIndex

/// Finds the keys of highest inner product by a graph over a head's keys, and reads their pages (RetrievalAttention, Liu
/// et al. 2024): a query meets a part of the keys instead of all.
///
/// The graph is that of the prompt's last queries (`QueryGraph`); the paper's has those of the whole prompt. Without
/// them it is one of near keys, the usual kind, which finds less with as many keys met: inner products become cosines
/// there by one more element, which gives all keys the same length (Neyshabur and Srebro 2015). Pages in which nothing
/// was found count as less than any found one. All rows stay in memory, and attention reads pages of rows, not rows.
public struct RetrievalAttention: KVIndexSelector {
    /// Keys that are found for a query, and candidates that the search keeps.
    public var found: Int, effort: Int
    /// Whether links are those of queries.
    public var isAware: Bool

    /// The paper's 100 keys.
    public init(found: Int = 100, effort: Int = 120, isAware: Bool = true) {
        (self.found, self.effort, self.isAware) = (found, effort, isAware)
    }

    /// For the links.
    public var needsQueries: Bool { isAware }

    /// A graph of keys.
    public func index() -> any KVPageIndex { isAware ? Aware(self) : Near(self) }

    /// Scores pages by the keys that were found in them.
    private static func score(
        _ matches: [(row: Int, score: Float)], pages: Int, into scores: UnsafeMutablePointer<Float>
    ) {
        guard let most = matches.first?.score, let least = matches.last?.score else {
            // Without matches, the last pages are the best guess.
            for page in 0..<pages { scores[page] = Float(page) }
            return
        }
        var masses: [Int: Float] = [:]
        for match in matches { masses[match.row / KVShape.blockTokens, default: 0] += exp(match.score - most) }
        for page in 0..<pages { scores[page] = masses[page].map { log($0) } ?? least - most - 1 }
    }

    /// Links of queries.
    private final class Aware: KVPageIndex {
        private let settings: RetrievalAttention
        private var graph: QueryGraph?
        private var dimension = 0

        init(_ settings: RetrievalAttention) { self.settings = settings }

        /// Keys, as halves, that a search meets at least.
        var bytes: Int { min(settings.effort, graph?.count ?? 0) * 2 * dimension }
        var scanned: Double? { graph.map { Double($0.met) / Double(max(1, $0.count)) } }

        func add(_ rows: KVPageRows) {
            dimension = rows.keys.first?.count ?? dimension
            if graph == nil { graph = QueryGraph(dimension: dimension) }
            graph?.add(rows.keys, queries: rows.queries)
        }

        func score(_ query: [Float], at position: Int, into scores: UnsafeMutablePointer<Float>) {
            let matches = graph?.search(query, settings.found, effort: settings.effort) ?? []
            RetrievalAttention.score(matches, pages: (graph?.count ?? 0) / KVShape.blockTokens, into: scores)
        }
    }

    /// Links of near keys.
    private final class Near: KVPageIndex {
        private let settings: RetrievalAttention
        private var graph: GraphIndex?
        /// Keys that were added, and the length that all have in the graph.
        private var count = 0, length: Float = 0

        init(_ settings: RetrievalAttention) { self.settings = settings }

        /// Codes of the candidates that a search keeps.
        var bytes: Int { min(settings.effort, count) * (graph?.dimension ?? 0) }

        func add(_ rows: KVPageRows) {
            guard let dimension = rows.keys.first?.count else { return }
            let squares = rows.keys.map { $0.reduce(0) { $0 + $1 * $1 } }
            if graph == nil {
                graph = try? GraphIndex(dimension: dimension + 1)
                length = max(1e-6, (squares.max() ?? 0).squareRoot())
            }
            // Later keys that are longer count as if they had this length.
            let vectors = zip(rows.keys, squares).map { key, square in
                key + [max(0, length * length - square).squareRoot()]
            }
            let changes = VectorChanges(inserted: vectors.enumerated().map { (count + $0, $1) })
            if (try? graph?.apply(changes)) == nil { graph = nil }
            count += rows.keys.count
        }

        func score(_ query: [Float], at position: Int, into scores: UnsafeMutablePointer<Float>) {
            let scale = length * query.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let search = VectorSearch(settings.found, effort: settings.effort)
            let matches = ((try? graph?.search(query + [0], search)) ?? []).map { ($0.key, $0.score * scale) }
            RetrievalAttention.score(matches, pages: count / KVShape.blockTokens, into: scores)
        }
    }
}
