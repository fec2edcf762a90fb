/// What attention has rested on most since it came, and the last rows, half of the budget each
/// (heavy hitters: H2O, Zhang et al. 2023).
public struct H2O: TokenScorer {
    /// Nothing to set.
    public init() {}
    public var needs: AttentionNeed { .all }
    public func scores(_ rows: KVRows) -> [Float] {
        rows.attention.enumerated().map { $0 + rows.budget / 2 >= rows.count ? .infinity : $1 }
    }
}
