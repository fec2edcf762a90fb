import Foundation

/// Weighs what all tokens attend to against what the last ones do, evicts what neither does, and merges
/// the rest into the kept rows, head by head (EMS, Li et al. 2024).
///
/// Global attention is a row's mean over the tokens that could see it, local attention that of the
/// window; both count as shares of their sum. Of the rows over the budget, the best join the kept row
/// that they are most like; the others, and those that are like none, join nothing (the paper's zero
/// class).
public struct EMS: TokenScorer, Disposer {
    /// Last tokens whose attention counts by itself and that stay, and rows that are merged for each
    /// that is kept.
    public var window: Int, merged: Double
    /// The least cosine of keys that are merged.
    public var threshold: Float

    /// By default a window of 32 tokens; as many rows as are kept are merged, of a cosine of 0.6 at least.
    public init(window: Int = 32, merged: Double = 1, threshold: Float = 0.6) {
        (self.window, self.merged, self.threshold) = (window, merged, threshold)
    }

    /// The weights of all tokens, and those of the window's.
    public var needs: AttentionNeed { .allAndLast(window) }

    /// Global and local importance; infinity for the window.
    public func scores(_ rows: KVRows) -> [Float] {
        importance(rows).enumerated().map { $0 + window >= rows.count ? .infinity : $1 }
    }

    private func importance(_ rows: KVRows) -> [Float] {
        let means = rows.attention.enumerated().map { $1 / Float(rows.count - $0) }
        func shares(_ weights: [Float]) -> [Float] {
            let sum = max(weights.reduce(0, +), 1e-9)
            return weights.map { $0 / sum }
        }
        return zip(shares(means), shares(rows.recentAttention)).map { $0 + $1 }
    }

    /// Kept rows with what is like them, weighted by importance.
    ///
    /// - Complexity: O(lost·kept·dimension).
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] {
        let importance = importance(rows)
        let best = lost.sorted { (importance[$0], $1) > (importance[$1], $0) }
            .prefix(Int(merged * Double(kept.count))).sorted()
        var members: [Int: [(row: Int, weight: Float)]] = [:]
        for (row, near) in zip(best, rows.nearest(to: best, among: kept)) where near.similarity >= threshold {
            members[near.row, default: []].append((row, importance[row]))
        }
        return members.sorted { $0.key < $1.key }.map { target, others in
            rows.merged([(row: target, weight: max(importance[target], 1e-9))] + others)
        }
    }
}
