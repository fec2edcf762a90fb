import Foundation
import NIOConcurrencyHelpers

/// What the terminal can show.
enum Terminal {
    static func isInteractive(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    static let usesColour =
        isInteractive(STDOUT_FILENO) && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
        && ProcessInfo.processInfo.environment["TERM"] != "dumb"

    enum Style: String { case bold = "1", dim = "2", green = "32", yellow = "33", cyan = "36", red = "31" }

    static func styled(_ text: String, _ style: Style) -> String { usesColour ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text }

    static func error(_ message: String) {
        let label = isInteractive(STDERR_FILENO) ? "\u{1b}[31mError:\u{1b}[0m " : "Error: "
        FileHandle.standardError.write(Data((label + message + "\n").utf8))
    }

    static func note(_ message: String) { FileHandle.standardError.write(Data((styled(message, .dim) + "\n").utf8)) }

    /// Columns of the terminal, 100 where it has none.
    static var width: Int {
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 100
    }
}

/// A bar on standard error for work of over a second; nothing where that is not a terminal.
final class ProgressLine: Sendable {
    private struct State {
        var start = ContinuousClock.now
        var last: ContinuousClock.Instant?
        var shown = false
    }
    private let state = NIOLockedValueBox(State())

    func show(_ done: Int, _ total: Int, _ what: String) {
        guard Terminal.isInteractive(STDERR_FILENO) else { return }
        state.withLockedValue { state in
            let now = ContinuousClock.now
            guard now - state.start > .milliseconds(300), state.last.map({ now - $0 > .milliseconds(100) || done == total }) ?? true else { return }
            state.last = now
            state.shown = true
            let share = total > 0 ? min(1, Double(done) / Double(total)) : 0, width = 30, filled = Int(share * Double(width))
            let bar = total > 0 ? "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled) + "] \(Int(share * 100))%  " : ""
            FileHandle.standardError.write(Data("\r\u{1b}[2K\(bar)\(done)\(total > 0 ? "/\(total)" : "") \(what)".utf8))
        }
    }

    func end() {
        state.withLockedValue { state in
            if state.shown { FileHandle.standardError.write(Data("\r\u{1b}[2K".utf8)) }
            state.shown = false
        }
    }
}
