/// Keeps the rows with the shortest keys (Devoto et al. 2024): tokens that many attend to tend to have short keys, so
/// that no attention needs be looked at. What other rules without attention are compared with.
public struct KeyNorm: TokenScorer {
    /// Last rows that stay.
    public var recent: Int

    /// By default 32 last rows.
    public init(recent: Int = 32) { self.recent = recent }

    /// No attention weights.
    public var needs: AttentionNeed { .none }

    /// A key's length, the less the better; infinity for the last rows.
    public func scores(_ rows: KVRows) -> [Float] {
        (0..<rows.count).map { row in
            row + recent >= rows.count ? .infinity : -rows.key(row).reduce(0) { $0 + $1 * $1 }
        }
    }
}
