import MnemeBase

/// Starts a request if the memory forecast for every later step holds all (Past-Future, Gong et al.
/// 2025).
///
/// The past: the lengths of the last answers. A sequence that has answered `n` tokens is expected to
/// end as one drawn from those that were longer than `n` did. The future: when each ends, the others
/// have grown by as many tokens; the most blocks held at any of these moments is the peak, and it
/// must fit. Until some answers have ended, it admits as ``AggressiveAdmission`` does.
///
/// The draw is a function of a sequence's name, so that plans repeat, and a forecast changes only
/// with what is known.
public struct PastFuture: AdmissionPolicy {
    /// Lengths that are remembered, and those that a forecast needs.
    private static let window = 1000, least = 16
    /// The share of the memory that forecasts leave free, as they may be wrong.
    private let reserve: Double
    /// Lengths of the last answers, by time; `oldest` is the next to be forgotten.
    private var lengths: [Int] = []
    private var oldest = 0
    /// The same, rising.
    private var sorted: [Int] = []

    /// - Parameter reserve: share of the memory, 0 to 1, that forecasts leave free.
    public init(reserve: Double = 0.03) { self.reserve = reserve }

    /// Remembers a length.
    ///
    /// - Complexity: O(window).
    public mutating func didFinish(completionTokens: Int) {
        if lengths.count < Self.window {
            lengths.append(completionTokens)
        } else {
            sorted.remove(at: Self.first(in: sorted) { $0 >= lengths[oldest] })
            lengths[oldest] = completionTokens
            oldest = (oldest + 1) % Self.window
        }
        sorted.insert(completionTokens, at: Self.first(in: sorted) { $0 >= completionTokens })
    }

    /// Whether the peak fits.
    ///
    /// - Complexity: O(members²).
    public func admits(_ next: EngineView.Waiting, beside batch: AdmissionBatch) -> Bool {
        guard AggressiveAdmission().admits(next, beside: batch) else { return false }
        guard sorted.count >= Self.least else { return true }
        let members = batch.members + [batch.member(next)]
        return Double(peak(members, batch)) <= Double(batch.budget) * (1 - reserve)
    }

    /// The most blocks that the members take at any time, by the forecast.
    private func peak(_ members: [AdmissionBatch.Member], _ batch: AdmissionBatch) -> Int {
        let expected = members.map { (member: $0, tokens: expectedTokens($0)) }
        return expected.map { end in
            // Just before one ends, all that end no sooner have grown by as much as it.
            expected.reduce(0) { sum, other in
                other.tokens >= end.tokens ? sum + batch.blocks(other.member, after: end.tokens) : sum
            }
        }.max() ?? 0
    }

    /// Tokens that a sequence is expected to have still: drawn from the answers that were longer
    /// than its own is so far; if there was none, as many again.
    func expectedTokens(_ member: AdmissionBatch.Member) -> Int {
        let first = Self.first(in: sorted) { $0 > member.answered }
        let count = sorted.count - first
        guard count > 0 else { return min(member.remaining, max(1, member.answered)) }
        // 53 bits of the mixed name: a number in 0..<1.
        let draw = Double(SplitMix64.mixed(UInt64(bitPattern: Int64(member.id))) >> 11) * 0x1p-53
        let length = sorted[first + Int(draw * Double(count))]
        return min(member.remaining, length - member.answered)
    }

    /// The first index from which on all values of a rising list fit; its count if none does.
    private static func first(in list: [Int], _ fits: (Int) -> Bool) -> Int {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if fits(list[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
