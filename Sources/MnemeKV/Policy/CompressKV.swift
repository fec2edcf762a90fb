/// Lets the heads of a layer that look far back choose for all of its heads, as SnapKV does for each
/// (CompressKV, Lin et al. 2025): the others' attention says little of what will be asked.
///
/// Heads are told apart by ``RetrievalHeads/strengths(_:tokens:)``, which sees repetitions; the
/// paper's heads find meaning, too. Layers get rows by how much their heads' outputs would change if all layers had the
/// same: the paper measures that on a data set first, here on each prompt.
public struct CompressKV: JointScorer, HeadAllocator {
    /// How far each key-value head looks back, by layers.
    public var strengths: [[Float]]
    /// Heads of a layer that choose: this share of them, one at least.
    public var share: Double
    private let snap: SnapKV

    /// By default a third of the heads, with SnapKV's window and pool.
    public init(strengths: [[Float]], share: Double = 0.34, window: Int = 32, pool: Int = 7) {
        (self.strengths, self.share) = (strengths, share)
        snap = SnapKV(window: window, pool: pool)
    }

    /// The weights of the window's tokens.
    public var needs: AttentionNeed { snap.needs }

    /// SnapKV's scores, by the attention of the choosing heads.
    public func scores(_ layers: [[KVRows]]) -> [[[Float]]] {
        layers.enumerated().map { layer, heads in
            guard var rows = heads.first else { return [] }
            let order = heads.indices.sorted {
                (strengths[layer][$0], -$0) > (strengths[layer][$1], -$1)
            }
            let count = max(1, Int((share * Double(heads.count)).rounded()))
            rows.attention = Self.sum(order.prefix(count).map { heads[$0] })
            let scores = snap.scores(rows)
            return heads.map { _ in scores }
        }
    }

    /// How much the output for the window's tokens changes, in share of its length, if a head keeps the budget's best
    /// rows.
    public func measure(_ rows: KVRows) -> [Float] {
        let scores = snap.scores(rows)
        let kept = Set(scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }.prefix(rows.budget))
        var (whole, part) = ([Float](repeating: 0, count: rows.dimension), [Float](repeating: 0, count: rows.dimension))
        var (all, left): (Float, Float) = (1e-9, 1e-9)
        let total = rows.attention.reduce(0, +)
        // What hardly anything attends to changes nothing that could be seen.
        for (row, weight) in rows.attention.enumerated() where weight > 1e-6 * total {
            let isKept = kept.contains(row)
            all += weight
            if isKept { left += weight }
            for (e, x) in rows.value(row).enumerated() {
                whole[e] += weight * x
                if isKept { part[e] += weight * x }
            }
        }
        var (change, length): (Float, Float) = (0, 1e-12)
        for (x, y) in zip(whole, part) {
            change += (x / all - y / left) * (x / all - y / left)
            length += x / all * x / all
        }
        return [(change / length).squareRoot()]
    }

    /// Half of the budget for each layer, the rest in proportion to the mean error of its heads.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        let layers = heads.indices.filter { !heads[$0].isEmpty }
        let errors = layers.map { layer in
            heads[layer].reduce(Float(0)) { $0 + $1.values[0] } / Float(heads[layer].count)
        }
        let parts = Self.shares(
            budget, weights: errors, lengths: layers.map { heads[$0][0].length }, least: budget / 2)
        var result = heads.map { $0.map { _ in 0 } }
        for (layer, part) in zip(layers, parts) { result[layer] = heads[layer].map { _ in part } }
        return result
    }
}
