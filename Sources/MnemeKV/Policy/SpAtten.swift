/// Drops tokens layer by layer: a layer keeps a part of what the one before keeps, by the attention
/// that all heads of all layers so far have given (SpAtten's cascade token pruning, Wang et al. 2020).
///
/// Early layers keep more than the budget, late ones less, in a straight line. The paper's pruning of
/// heads and its fetching of high bits first are not here; the last rows stay, as with other rules.
public struct SpAtten: JointScorer, BudgetAllocator {
    /// The first layer's part of the budget; the last has as much less as it has more.
    public var first: Double
    /// Last rows that stay.
    public var recent: Int

    /// By default from one and a half of the budget to a half.
    public init(first: Double = 1.5, recent: Int = 32) { (self.first, self.recent) = (first, recent) }

    /// The weights of all tokens.
    public var needs: AttentionNeed { .all }

    /// A layer's budget, for each of its heads; 1 at least.
    public func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] {
        lengths.enumerated().map { layer, heads in
            heads.map { _ in rows(layer, of: lengths.count, budget) }
        }
    }

    private func rows(_ layer: Int, of layers: Int, _ budget: Int) -> Int {
        let depth = layers > 1 ? Double(layer) / Double(layers - 1) : 0.5
        return max(1, Int(Double(budget) * (first + (2 - 2 * first) * depth)))
    }

    /// Attention so far; −1 for what an earlier layer lost, infinity for the last rows.
    public func scores(_ layers: [[KVRows]]) -> [[[Float]]] {
        var importance: [Float] = []
        var lost: Set<Int> = []
        return layers.enumerated().map { layer, heads in
            guard let rows = heads.first else { return [] }
            let here = Self.sum(heads)
            importance =
                importance.isEmpty ? here : zip(importance, here).map { $0 + $1 }
            let scores = importance.enumerated().map { row, value in
                row + recent >= rows.count ? .infinity : lost.contains(row) ? -1 : value
            }
            let kept = self.rows(layer, of: layers.count, rows.budget)
            // Of equals, the later stays, as where rows are kept.
            lost = Set(
                scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }.dropFirst(kept))
            return heads.map { _ in scores }
        }
    }
}
