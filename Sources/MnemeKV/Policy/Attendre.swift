/// Evicts the rows that were attended to least recently, or least often (the LRA and LFA memories of
/// Attendre, Yang and Hua 2024).
///
/// Attention that was paid before an eviction counts for a share of what is paid after it: a small share
/// puts rows in the order of when they were last attended to, 1 in that of how much they were at all. The
/// last rows stay. The paper's queries that wait for later keys belong to models that look both ways.
public struct Attendre: TokenScorer {
    /// What attention counts for after each eviction.
    public var decay: Float
    /// Last rows that stay.
    public var recent: Int

    /// By default the least recently attended go.
    public init(decay: Float = 0.1, recent: Int = 16) { (self.decay, self.recent) = (decay, recent) }

    /// The weights of all tokens.
    public var needs: AttentionNeed { .all }

    /// Attention, what is long ago for less; infinity for the last rows.
    public func scores(_ rows: KVRows) -> [Float] {
        rows.attention.enumerated().map { $0 + recent >= rows.count ? .infinity : $1 }
    }
}
