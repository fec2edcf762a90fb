import NIOConcurrencyHelpers

/// Tells whether blocks come from a tier sooner than they are computed, and whether it pays to compute
/// what follows meanwhile, by what both took before.
///
/// A server behind a slow network answers, and still keeps a prompt waiting for longer than it would
/// take to compute: then it is left aside, and asked now and then whether that has changed.
struct FetchMeter: Sendable {
    /// Of requests that would be computed sooner, each such one is fetched.
    static let retry = 16

    private var secondsPerBlock: Double?, secondsPerToken: Double?
    private var skipped = 0

    /// Blocks came.
    mutating func fetched(blocks: Int, seconds: Double) {
        guard blocks > 0 else { return }
        let new = seconds / Double(blocks)
        // Few blocks tell of the way there and back more than of the rate. A server that got faster is
        // believed soon: it is seldom asked.
        let weight = new < secondsPerBlock ?? 0 ? 0.5 : min(0.5, Double(blocks) / 64)
        Self.average(&secondsPerBlock, new, weight: weight)
    }

    /// Tokens of prompts were computed.
    mutating func computed(tokens: Int, seconds: Double) {
        guard tokens > 0 else { return }
        Self.average(&secondsPerToken, seconds / Double(tokens), weight: min(0.5, Double(tokens) / 1024))
    }

    /// Whether to fetch what a prompt begins with. Yes as long as nothing is known.
    mutating func pays() -> Bool {
        guard let secondsPerBlock, let secondsPerToken,
            secondsPerBlock > Double(KVShape.blockTokens) * secondsPerToken
        else { return true }
        skipped += 1
        return skipped % Self.retry == 0
    }

    /// Whether to compute tokens behind blocks while those come: where they are read within a quarter
    /// of that time there is little to gain, and the parts of a step cost more than one. Yes as long as
    /// nothing is known.
    func overlaps(blocks: Int, tokens: Int) -> Bool {
        guard let secondsPerBlock, let secondsPerToken else { return true }
        return Double(blocks) * secondsPerBlock * 4 >= Double(tokens) * secondsPerToken
    }

    private static func average(_ value: inout Double?, _ new: Double, weight: Double) {
        value = value.map { $0 + (new - $0) * weight } ?? new
    }
}

extension KVCache {
    /// Notes how long tokens of prompts took to compute, to compare tiers with.
    package func noteComputed(tokens: Int, seconds: Double) {
        guard remoteTier != nil || localTier != nil else { return }
        state.withLockedValue {
            $0.remoteMeter.computed(tokens: tokens, seconds: seconds)
            $0.localMeter.computed(tokens: tokens, seconds: seconds)
        }
    }
}
