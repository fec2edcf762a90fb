import Foundation
import NIOConcurrencyHelpers

/// A bar on standard error for work of over a second; nothing where that is not a terminal.
final class ProgressLine: Sendable {
    /// Times of the first and of the last drawing, and whether a bar stands on the line.
    private struct State {
        var start = ContinuousClock.now
        var last: ContinuousClock.Instant?
        var shown = false
    }
    private let state = NIOLockedValueBox(State())

    /// Draws the bar anew, ten times a second at most.
    ///
    /// - Parameter total: 0 if it is not known; then only the count is shown.
    func show(_ done: Int, _ total: Int, _ what: String) {
        guard Terminal.isInteractive(STDERR_FILENO) else { return }
        state.withLockedValue { state in
            let now = ContinuousClock.now
            // Work of under a third of a second shows nothing.
            guard now - state.start > .milliseconds(300),
                state.last.map({ now - $0 > .milliseconds(100) || done == total }) ?? true
            else { return }
            state.last = now
            state.shown = true
            // Of a total that is not known, only the count is shown.
            let share = total > 0 ? min(1, Double(done) / Double(total)) : 0
            let width = 30
            let filled = Int(share * Double(width))
            let bar =
                total > 0
                ? "[" + String(repeating: "█", count: filled)
                    + String(repeating: "·", count: width - filled)
                    + "] \(Int(share * 100))%  " : ""
            FileHandle.standardError.write(
                Data(
                    "\r\u{1b}[2K\(bar)\(done)\(total > 0 ? "/\(total)" : "") \(Terminal.line(what))"
                        .utf8))
        }
    }

    /// Takes the bar away, so that the next line stands on its own.
    func end() {
        state.withLockedValue { state in
            if state.shown { FileHandle.standardError.write(Data("\r\u{1b}[2K".utf8)) }
            state.shown = false
        }
    }
}
