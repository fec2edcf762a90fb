/// Keeps the rows that the question attends to while a long text is still being read (CItruS, Bai et al.
/// 2024): what only predicting the text needs does not push them out.
///
/// The question's tokens are computed behind each part of the text, and forgotten again. The last rows stay. The
/// paper's second memory, for the text by itself, is not here: both share the budget, as in its shared cache.
public struct CItruS: TokenScorer {
    /// Last rows that stay, and last tokens of a prompt that stand for a question which nobody gave.
    public var recent: Int

    /// By default 32.
    public init(recent: Int = 32) { self.recent = recent }

    /// The question's weights.
    public var needs: AttentionNeed { .last(recent) }

    /// The question's attention; infinity for the last rows.
    public func scores(_ rows: KVRows) -> [Float] {
        rows.attention.enumerated().map { $0 + recent >= rows.count ? .infinity : $1 }
    }

    /// The policy: rows are evicted behind each part of so many tokens.
    public func policy(_ name: String, part: Int = 128) -> KVPolicy {
        var policy = KVPolicy(name, trigger: .every(part), scorer: self)
        policy.asks = true
        return policy
    }
}
