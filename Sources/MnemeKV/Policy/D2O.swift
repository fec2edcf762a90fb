import Foundation

/// Gives layers whose attention is dense more rows, keeps the heavy hitters, and merges an evicted
/// row into the kept one that it is most like, if it is like it enough (D2O, Wan et al. 2024).
///
/// A layer's density is the variance of its rows' accumulated attention: the lower, the more rows
/// matter. The threshold of similarity runs: it begins at the mean of the evicted rows' highest cosines, and moves
/// towards that of each evicted row in turn.
public struct D2O: HeadAllocator, TokenScorer, Disposer {
    /// The share of the budget that the last rows have.
    public var recent: Double
    /// How far the threshold moves towards each evicted row's cosine.
    public var pace: Float

    /// The paper gives a quarter of the budget to the last rows.
    public init(recent: Double = 0.25, pace: Float = 0.1) { (self.recent, self.pace) = (recent, pace) }

    /// The weights of all tokens.
    public var needs: AttentionNeed { .all }

    /// Accumulated attention; infinity for the last rows.
    public func scores(_ rows: KVRows) -> [Float] {
        let last = Int(recent * Double(rows.budget))
        return rows.attention.enumerated().map { $0 + last >= rows.count ? .infinity : $1 }
    }

    /// The variance of the rows' shares of attention, times their number: 0 if all have the same.
    public func measure(_ rows: KVRows) -> [Float] {
        let total = rows.attention.reduce(0, +)
        guard total > 0 else { return [0] }
        let n = Float(rows.count)
        return [rows.attention.reduce(0) { $0 + ($1 / total - 1 / n) * ($1 / total - 1 / n) }]
    }

    /// In proportion to exp(−variance) of the layers; the same for all heads of a layer.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        let layers = heads.indices.filter { !heads[$0].isEmpty }
        let weights = layers.map { layer in
            exp(-heads[layer].reduce(Float(0)) { $0 + $1.values[0] } / Float(heads[layer].count))
        }
        let parts = Self.shares(
            budget, weights: weights, lengths: layers.map { heads[$0][0].length }, least: 1)
        var result = heads.map { $0.map { _ in 0 } }
        for (layer, part) in zip(layers, parts) { result[layer] = heads[layer].map { _ in part } }
        return result
    }

    /// Each evicted row that is like enough, merged into the kept one it is most like: weights are
    /// e to the cosine, and e for the kept row.
    ///
    /// - Complexity: O(lost·kept·dimension).
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] {
        guard !lost.isEmpty, !kept.isEmpty else { return [] }
        let nearest = rows.nearest(to: lost, among: kept)
        var threshold = nearest.reduce(0) { $0 + $1.similarity } / Float(nearest.count)
        var members: [Int: [(row: Int, weight: Float)]] = [:]
        for (row, near) in zip(lost, nearest) {
            if near.similarity >= threshold { members[near.row, default: []].append((row, exp(near.similarity))) }
            threshold += pace * (near.similarity - threshold)
        }
        return members.sorted { $0.key < $1.key }.map { target, others in
            rows.merged([(row: target, weight: exp(Float(1)))] + others)
        }
    }
}
