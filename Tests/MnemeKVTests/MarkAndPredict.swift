import MnemeKV
import NIOConcurrencyHelpers

/// Paging with one bit for each: evicts what was not used in this phase and is not expected in
/// the next (Mark-and-Predict, Antoniadis et al. 2023).
///
/// A phase ends when all that could be evicted was used in it. With right bits it is nearly the
/// best there is, with wrong ones no worse than random marking.
final class MarkAndPredict: Evictor {
    private let state: NIOLockedValueBox<(phase: Double, random: UInt64)>

    /// - Parameter seed: of the choice among equals.
    init(seed: UInt64 = 1) { state = NIOLockedValueBox((-.infinity, seed)) }

    /// 2 for what was used in this phase, 1 for what is expected, and a fraction by chance.
    func value(_ candidate: EvictionCandidate) -> Double {
        state.withLockedValue { state in
            state.random = state.random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let chance = Double(state.random >> 33) / Double(1 << 31)
            return (candidate.time - candidate.idle >= state.phase ? 2 : 0)
                + (candidate.isExpected ? 1 : 0) + chance
        }
    }

    /// Evicting what was used in this phase begins the next.
    func didEvict(_ candidate: EvictionCandidate) {
        state.withLockedValue {
            if candidate.time - candidate.idle >= $0.phase { $0.phase = candidate.time }
        }
    }
}
