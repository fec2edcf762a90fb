package import Foundation
import NIOConcurrencyHelpers

/// The database's time, which all servers of a store go by, without asking for it each time.
///
/// Each answer that carries the time is a measurement, certain to half of the time that it took
/// (Cristian 1989, "Probabilistic clock synchronization"); from there on a clock counts that nobody
/// sets. Where this machine's own clock agrees with it to a second, that is used: it is finer, and does
/// not move with each measurement.
package final class PGClock: Sendable {
    /// Seconds by which this machine's clock may differ before it is not used, and at most when it is
    /// used again.
    private static let tolerance = 1.0, agreement = 0.5

    private struct State {
        /// The database's time, in seconds since 1970, at an instant.
        var time: Double, instant: ContinuousClock.Instant
        /// True while this machine's clock is used.
        var agrees = true
        /// The database's time at another instant.
        func time(at other: ContinuousClock.Instant) -> Double { time + (other - instant) / .seconds(1) }
    }
    private let state = NIOLockedValueBox<State?>(nil)

    /// Knows no time but this machine's.
    package init() {}

    /// The time now; this machine's until the database's was learned.
    package var now: Date {
        let own = Date()
        return state.withLockedValue { state in
            guard let known = state else { return own }
            let time = known.time(at: .now)
            let difference = abs(time - own.timeIntervalSince1970)
            state?.agrees = difference < (known.agrees ? Self.tolerance : Self.agreement)
            return state?.agrees ?? true ? own : Date(timeIntervalSince1970: time)
        }
    }

    /// Takes in an answer.
    ///
    /// - Parameters:
    ///   - time: the database's, in seconds since 1970.
    ///   - start: when it was asked.
    package func learn(_ time: Double, asked start: ContinuousClock.Instant) {
        let half = (.now - start) / 2
        let middle = start + half
        state.withLockedValue { state in
            guard let known = state else { return state = State(time: time, instant: middle) }
            // What a slow network leaves open is known better from before.
            let error = half / .seconds(1)
            if error < Self.agreement || abs(known.time(at: middle) - time) > error + Self.tolerance {
                state = State(time: time, instant: middle, agrees: known.agrees)
            }
        }
    }
}
