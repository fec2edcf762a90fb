/// What the last tokens of the prompt attend to, and what stands beside it (SnapKV, Li et al.
/// 2024).
public struct SnapKV: TokenScorer {
    /// Last tokens that are asked and stay, and rows over which the highest weight counts.
    public var window: Int, pool: Int

    /// The paper's sizes.
    public init(window: Int = 32, pool: Int = 7) {
        self.window = window
        self.pool = pool
    }
    public var needs: AttentionNeed { .last(window) }
    public func scores(_ rows: KVRows) -> [Float] {
        let weights = rows.attention, reach = pool / 2
        return weights.indices.map { i in
            i + window >= weights.count
                ? .infinity
                : weights[max(0, i - reach)...min(weights.count - 1, i + reach)].max() ?? 0
        }
    }
}
