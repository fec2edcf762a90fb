/// Keeps the rows that lately had the most attention, as what was pivotal stays so (Scissorhands, Liu
/// et al. 2023): a history window decides, not the whole past.
///
/// Rows are evicted whenever a window of tokens has come; the last rows stay. The paper counts how often
/// a row's weight was below the mean; here its weights over the window are added up.
public struct Scissorhands: TokenScorer {
    /// Tokens of the history window.
    public var window: Int
    /// The share of the budget that the last rows have.
    public var recent: Double

    /// By default a window of 32 tokens, and a quarter of the budget for the last rows.
    public init(window: Int = 32, recent: Double = 0.25) { (self.window, self.recent) = (window, recent) }

    /// The weights of the window's tokens.
    public var needs: AttentionNeed { .last(window) }

    /// The window's attention; infinity for the last rows.
    public func scores(_ rows: KVRows) -> [Float] {
        let last = Int(recent * Double(rows.budget))
        return rows.attention.enumerated().map { $0 + last >= rows.count ? .infinity : $1 }
    }
}
