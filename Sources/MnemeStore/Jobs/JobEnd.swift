package import Foundation

/// What an outcome makes of a job's row.
package struct JobEnd: Sendable {
    /// Its state from now on.
    package var state: Job.State
    /// What there is to say; nil leaves what was said before.
    package var message: String?
    /// When it is due again, in seconds since 1970; nil leaves what it was.
    package var due: Double?
    /// When it ended, if it has.
    package var finished: Double?
    /// Attempts that do not count.
    package var attempts = 0

    /// The end of an attempt.
    package init(_ outcome: JobOutcome, at now: Date) {
        let time = now.timeIntervalSince1970
        switch outcome {
        case .done(let text): (state, message, finished) = (.done, text, time)
        case .failed(let text, let retry?):
            (state, message, due) = (.waiting, text, retry.timeIntervalSince1970)
        case .failed(let text, nil): (state, message, finished) = (.dead, text, time)
        case .released: (state, due, attempts) = (.waiting, time, 1)
        }
        message = message.map { String(TextRules.whole($0).prefix(2_000)) }
    }
}
