/// Keeps the rows that an eviction policy would keep as they are, and all others in few bits instead of
/// none (MiKV, Yang et al. 2024: no token left behind).
///
/// The rows over the budget share pages of codes: `--kv-type int4` or `int8` says of how many bits. With
/// f16, nothing is coded, and nothing saved. Rows that come behind the prompt stay exact. The paper balances
/// outliers of queries and keys before it codes; here groups have ranges of their own (``KVCodec``).
public struct MiKV: TokenScorer {
    /// Last rows that stay exact.
    public var recent: Int

    /// By default 32 last rows.
    public init(recent: Int = 32) { self.recent = recent }

    /// The weights of all tokens.
    public var needs: AttentionNeed { .all }

    /// Accumulated attention; infinity for the last rows.
    public func scores(_ rows: KVRows) -> [Float] {
        rows.attention.enumerated().map { $0 + recent >= rows.count ? .infinity : $1 }
    }

    /// The policy: rows are chosen behind the prompt.
    public func policy(_ name: String) -> KVPolicy {
        var policy = KVPolicy(name, trigger: .promptEnd, scorer: self)
        policy.codesRest = true
        return policy
    }
}
