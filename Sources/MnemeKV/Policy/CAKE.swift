import Foundation

/// Gives layers budgets by how much their attention is spread and how much it shifts, and keeps the
/// rows with much or changing attention (CAKE, Qin et al. 2025).
///
/// A layer's preference is H^(1/τ₁)·V^(1/τ₂): H the entropy of the window's mean attention over rows,
/// V the sum of its variances over the window's tokens. A row is worth its mean and γ times its
/// variance, the highest within `pool` rows. The paper splits layer by layer while the prompt is
/// computed; here all layers are known when the budget is split, which gives the same parts.
public struct CAKE: TokenScorer, HeadAllocator {
    /// Last tokens whose attention counts and that stay themselves.
    public var window: Int
    /// The temperatures τ₁ and τ₂ of spread and shift.
    public var temperatures: (spread: Double, shift: Double)
    /// The weight of a row's variance, and rows over which the highest worth counts.
    public var gamma: Float, pool: Int

    /// The paper's sizes; temperatures differ by model there, around these.
    public init(
        window: Int = 32, temperatures: (spread: Double, shift: Double) = (1, 1), gamma: Float = 200,
        pool: Int = 5
    ) {
        (self.window, self.temperatures) = (window, temperatures)
        (self.gamma, self.pool) = (gamma, pool)
    }

    /// The weights of the window's tokens, and their squares.
    public var needs: AttentionNeed { .last(window) }
    /// For variances.
    public var needsSquares: Bool { true }

    /// The mean and the variance of each row's weights over the observations.
    private func moments(_ rows: KVRows) -> [(mean: Float, variance: Float)] {
        let n = Float(max(1, rows.observations))
        return zip(rows.attention, rows.attentionSquares).map { sum, squares in
            let mean = sum / n
            return (mean, max(0, squares / n - mean * mean))
        }
    }

    /// Mean and weighted variance, pooled; infinity for the window.
    public func scores(_ rows: KVRows) -> [Float] {
        let worth = moments(rows).map { $0.mean + gamma * $0.variance }
        let reach = pool / 2
        return worth.indices.map { i in
            i + window >= worth.count
                ? .infinity : worth[max(0, i - reach)...min(worth.count - 1, i + reach)].max() ?? 0
        }
    }

    /// Entropy and shift of the rows before the window.
    public func measure(_ rows: KVRows) -> [Float] {
        let past = moments(rows).dropLast(window)
        let total = past.reduce(0) { $0 + $1.mean }
        guard total > 0 else { return [0, 0] }
        let entropy = past.reduce(Float(0)) { sum, row in
            let p = row.mean / total
            return p > 0 ? sum - p * log(p) : sum
        }
        return [entropy, past.reduce(0) { $0 + $1.variance }]
    }

    /// In proportion to the layers' preferences; the same for all heads of a layer.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        let layers = heads.indices.filter { !heads[$0].isEmpty }
        let weights = layers.map { layer -> Float in
            func mean(_ i: Int) -> Double {
                heads[layer].reduce(0) { $0 + Double($1.values[i]) } / Double(heads[layer].count)
            }
            return Float(pow(mean(0), 1 / temperatures.spread) * pow(mean(1), 1 / temperatures.shift))
        }
        let parts = Self.shares(
            budget, weights: weights, lengths: layers.map { heads[$0][0].length }, least: window)
        var result = heads.map { $0.map { _ in 0 } }
        for (layer, part) in zip(layers, parts) { result[layer] = heads[layer].map { _ in part } }
        return result
    }
}
