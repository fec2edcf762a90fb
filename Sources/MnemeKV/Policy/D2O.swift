import Foundation

/// Gives layers whose attention is dense more rows, keeps the heavy hitters, and merges an evicted
/// row into the kept one that it is most like, if it is like it enough (D2O, Wan et al. 2024).
///
/// A layer's density is the variance of its rows' accumulated attention: the lower, the more rows
/// matter. The threshold of similarity is the mean of the evicted rows' highest cosines; the paper
/// moves it on while it decodes, where nothing is evicted here.
public struct D2O: HeadAllocator, TokenScorer, Disposer {
    /// The share of the budget that the last rows have.
    public var recent: Double

    /// The paper gives a quarter of the budget to the last rows.
    public init(recent: Double = 0.25) { self.recent = recent }

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
        func unit(_ row: Int) -> [Float] {
            let key = rows.key(row)
            let length = max(key.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-9)
            return key.map { $0 / length }
        }
        guard !lost.isEmpty, !kept.isEmpty else { return [] }
        let targets = kept.flatMap(unit)
        let d = rows.dimension
        let nearest = lost.map { row -> (kept: Int, similarity: Float) in
            var best = (kept: 0, similarity: -Float.infinity)
            unit(row).withUnsafeBufferPointer { key in
                targets.withUnsafeBufferPointer { targets in
                    for k in kept.indices {
                        var cosine: Float = 0
                        for e in 0..<d { cosine += key[e] * targets[k * d + e] }
                        if cosine > best.similarity { best = (k, cosine) }
                    }
                }
            }
            return best
        }
        let threshold = nearest.reduce(0) { $0 + $1.similarity } / Float(nearest.count)
        var members: [Int: [(row: Int, weight: Float)]] = [:]
        for (row, near) in zip(lost, nearest) where near.similarity >= threshold {
            members[near.kept, default: []].append((row, exp(near.similarity)))
        }
        return members.sorted { $0.key < $1.key }.map { target, others in
            let all = [(row: kept[target], weight: exp(Float(1)))] + others
            let total = all.reduce(0) { $0 + $1.weight }
            var change = KVChange(
                row: kept[target], key: [Float](repeating: 0, count: d),
                value: [Float](repeating: 0, count: d))
            for (row, weight) in all {
                for (e, x) in rows.key(row).enumerated() { change.key[e] += x * weight / total }
                for (e, x) in rows.value(row).enumerated() { change.value[e] += x * weight / total }
            }
            return change
        }
    }
}
