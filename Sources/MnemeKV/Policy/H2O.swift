/// Heavy hitters: keeps the rows with the most accumulated attention, and the last ones, half of
/// the budget each (H2O, Zhang et al. 2023).
///
/// The sum runs over all tokens since a row came, so that early rows have an advantage; the recent
/// half makes up for it.
public struct H2O: TokenScorer {
    /// A policy part without settings.
    public init() {}
    /// The weights of all tokens.
    public var needs: AttentionNeed { .all }
    /// Accumulated attention; infinity for the last half of the budget.
    public func scores(_ rows: KVRows) -> [Float] {
        rows.attention.enumerated().map { $0 + rows.budget / 2 >= rows.count ? .infinity : $1 }
    }
}
