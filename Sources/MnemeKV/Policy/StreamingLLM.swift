import MnemeBase

/// Keeps the first tokens, on which attention rests (attention sinks), and the last (StreamingLLM,
/// Xiao et al. 2024). Without sinks it is a sliding window.
public struct StreamingLLM: TokenScorer {
    /// First rows that stay.
    public var sinks: Int

    /// The paper keeps four.
    public init(sinks: Int = 4) { self.sinks = sinks }
    /// The policy needs no attention weights.
    public var needs: AttentionNeed { .none }
    /// The position; infinity for the sinks.
    public func scores(_ rows: KVRows) -> [Float] {
        rows.positions.enumerated().map { $0 < sinks ? .infinity : Float($1) }
    }
}

/// Evicts any rows but the last `recent`: the baseline that other scorers must beat.
public struct RandomEviction: TokenScorer {
    private let seed: UInt64, recent: Int

    /// - Parameters:
    ///   - seed: of the random numbers; equal seeds evict equal rows.
    ///   - recent: rows that stay, as other rules have them.
    public init(seed: UInt64 = 1, recent: Int = 32) {
        self.seed = seed
        self.recent = recent
    }
    /// The policy needs no attention weights.
    public var needs: AttentionNeed { .none }
    /// A random number made from seed, layer, head and position; infinity for the last rows.
    public func scores(_ rows: KVRows) -> [Float] {
        // A row keeps its lot for as long as it is there.
        rows.positions.enumerated().map { i, position in
            if i + recent >= rows.count { return .infinity }
            let hash =
                seed &+ UInt64(rows.layer) << 40 &+ UInt64(rows.head) << 32 &+ UInt64(
                    UInt32(bitPattern: position))
                &* 0x9e37_79b9_7f4a_7c15
            return Float(SplitMix64.mixed(hash) >> 40)
        }
    }
}
