/// Drops tokens and heads layer by layer: a layer keeps a part of what the one before keeps, by the attention
/// that all heads of all layers so far have given to a token, and by how large a head's outputs were so far
/// (SpAtten's cascade pruning, Wang et al. 2020).
///
/// Early layers keep more than the budget, late ones less, in a straight line; more heads are dropped the
/// deeper a layer lies, and what they would keep goes to the others of their layer. A dropped head keeps one
/// row. The paper's fetching of high bits first is not here; the last rows stay, as with other rules.
public struct SpAtten: JointScorer, HeadAllocator {
    /// The first layer's part of the budget; the last has as much less as it has more.
    public var first: Double
    /// Last rows that stay.
    public var recent: Int
    /// The share of the last layer's heads that is dropped, rounded down.
    public var heads: Double

    /// By default from one and a half of the budget to a half, and up to a third of the heads.
    public init(first: Double = 1.5, recent: Int = 32, heads: Double = 0.34) {
        (self.first, self.recent, self.heads) = (first, recent, heads)
    }

    /// The weights of all tokens.
    public var needs: AttentionNeed { .all }

    /// A layer's budget, for each of its heads; 1 at least.
    public func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] {
        lengths.enumerated().map { layer, heads in
            heads.map { _ in rows(layer, of: lengths.count, budget) }
        }
    }

    private func depth(_ layer: Int, of layers: Int) -> Double {
        layers > 1 ? Double(layer) / Double(layers - 1) : 0.5
    }

    private func rows(_ layer: Int, of layers: Int, _ budget: Int) -> Int {
        max(1, Int(Double(budget) * (first + (2 - 2 * first) * depth(layer, of: layers))))
    }

    /// Heads of a layer that are dropped, never all.
    private func dropped(_ layer: Int, of layers: Int, _ count: Int) -> Int {
        min(count - 1, Int(heads * Double(count) * depth(layer, of: layers)))
    }

    /// How large a head's outputs are: the absolute elements of its attention's sum of values.
    public func measure(_ rows: KVRows) -> [Float] {
        var output = [Float](repeating: 0, count: rows.dimension)
        let total = rows.attention.reduce(0, +)
        // What hardly anything attends to changes nothing that could be seen.
        for (row, weight) in rows.attention.enumerated() where weight > 1e-6 * total {
            for (e, x) in rows.value(row).enumerated() { output[e] += weight * x }
        }
        return [output.reduce(0) { $0 + abs($1) }]
    }

    /// A layer's budget for the heads that are left; those that an earlier layer dropped stay dropped.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        var size: [Float] = []
        var lost: Set<Int> = []
        return heads.enumerated().map { layer, measures in
            guard !measures.isEmpty else { return [] }
            size = measures.indices.map { (size.isEmpty ? 0 : size[$0]) + measures[$0].values[0] }
            let open = measures.indices.filter { !lost.contains($0) }.sorted { (size[$0], $0) < (size[$1], $1) }
            lost.formUnion(open.prefix(max(0, dropped(layer, of: heads.count, measures.count) - lost.count)))
            let rows = rows(layer, of: heads.count, budget) * measures.count / (measures.count - lost.count)
            return measures.indices.map { lost.contains($0) ? 1 : rows }
        }
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
            let left = heads.count - dropped(layer, of: layers.count, heads.count)
            let kept = self.rows(layer, of: layers.count, rows.budget) * heads.count / left
            // Of equals, the later stays, as where rows are kept.
            lost = Set(
                scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }.dropFirst(kept))
            return heads.map { _ in scores }
        }
    }
}
