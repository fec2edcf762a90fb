import NIOConcurrencyHelpers

/// The time of a replay, which the KV cache reads, too.
final class SimulatedClock: Sendable {
    private let state = NIOLockedValueBox((now: 0.0, ticks: 0))

    /// Seconds since the trace's beginning.
    var now: Double { state.withLockedValue { $0.now } }

    /// Goes on to a time.
    func set(_ now: Double) { state.withLockedValue { $0 = (now, 0) } }

    /// The time, a billionth of a second later each time that it is asked for: what is used first is
    /// older, as by a real clock.
    func tick() -> Double {
        state.withLockedValue { state in
            state.ticks += 1
            return state.now + Double(state.ticks) * 1e-9
        }
    }
}
