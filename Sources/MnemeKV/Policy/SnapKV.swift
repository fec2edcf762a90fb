/// Keeps the rows that the last tokens of the prompt attend to, and their neighbours (SnapKV, Li et
/// al. 2024).
///
/// The window stands for the question, which usually ends a prompt. Pooling keeps what surrounds a
/// hit, as single tokens without their context mislead the model.
public struct SnapKV: TokenScorer {
    /// Last tokens whose attention counts and that stay themselves; and rows over which the highest
    /// weight counts (max pooling).
    public var window: Int, pool: Int

    /// The paper's sizes.
    public init(window: Int = 32, pool: Int = 7) {
        self.window = window
        self.pool = pool
    }
    /// The weights of the window's tokens.
    public var needs: AttentionNeed { .last(window) }
    /// The highest weight within `pool` rows; infinity for the window.
    public func scores(_ rows: KVRows) -> [Float] {
        let weights = rows.attention
        let reach = pool / 2
        return weights.indices.map { i in
            i + window >= weights.count
                ? .infinity
                : weights[max(0, i - reach)...min(weights.count - 1, i + reach)].max() ?? 0
        }
    }
}
