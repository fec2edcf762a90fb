/// Lets the heads of a layer that look far back choose for all of its heads, as SnapKV does for each
/// (CompressKV, Lin et al. 2025): the others' attention says little of what will be asked.
///
/// Heads are told apart by ``RetrievalHeads/strengths(_:tokens:)``, which sees repetitions; the
/// paper's heads find meaning, too. Its budgets of layers by the error of eviction are not here.
public struct CompressKV: JointScorer {
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
}
