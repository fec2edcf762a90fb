import Foundation
import MnemeBase

/// Prints for people, and JSON for programs, by way of ``Terminal/write(_:)``. Stands in for
/// Swift's in this module, so that nothing is printed past it: for that it needs the very same
/// parameters.
func print(_ items: Any..., separator: String = " ", terminator: String = "\n") {
    Terminal.write(items.map { "\($0)" }.joined(separator: separator) + terminator)
}

/// Output to a terminal: colours, width, and characters that are safe to show.
///
/// All output for people goes through ``shown(_:)``, which lets no character of a memory, a model
/// or a file act on the terminal.
enum Terminal {
    /// True if a file descriptor is a terminal.
    static func isInteractive(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// True if output has colours: on a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    static let usesColour =
        isInteractive(STDOUT_FILENO) && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
        && ProcessInfo.processInfo.environment["TERM"] != "dumb"

    /// Styles by their SGR codes (ECMA-48); colours are those of the user's own theme.
    enum Style: String {
        case bold = "1"
        case dim = "2"
        case green = "32"
        case yellow = "33"
        case cyan = "36"
        case red = "31"
    }

    /// Stands before our own styles until they are written. No text from outside can hold it.
    private static let mark = "\u{1b}\(UInt64.random(in: .min ... .max))"

    /// Text in a style, for ``write(_:)`` and ``note(_:)``.
    static func styled(_ text: String, _ style: Style) -> String {
        usesColour ? "\(mark)[\(style.rawValue)m\(text)\(mark)[0m" : text
    }

    /// The text to write: our styles, and everything else as ``MnemeBase/TerminalText`` shows it.
    static func shown(_ text: String) -> String {
        // Without colours there are no marks to look for.
        guard usesColour else { return TerminalText.shown(text) }
        let pieces = text.components(separatedBy: mark)
        return TerminalText.shown(pieces[0])
            + pieces.dropFirst().map { piece in
                guard let end = piece.unicodeScalars.firstIndex(of: "m") else {
                    return TerminalText.shown(piece)
                }
                let rest = piece.unicodeScalars.index(after: end)
                return "\u{1b}" + piece[..<rest] + TerminalText.shown(String(piece[rest...]))
            }.joined()
    }

    /// Text on one line, for lists whose lines are records.
    static func line(_ text: some StringProtocol) -> String {
        TerminalText.shown(String(text), onOneLine: true)
    }

    /// Writes text to standard output, without a line break of its own.
    static func write(_ text: String) { Swift.print(shown(text), terminator: "") }

    /// Empties the screen and begins at its top.
    static func clear() { Swift.print("\u{1b}[2J\u{1b}[H", terminator: "") }

    /// Says on standard error what went wrong.
    static func error(_ message: String) {
        let label = isInteractive(STDERR_FILENO) ? "\u{1b}[31mError:\u{1b}[0m " : "Error: "
        FileHandle.standardError.write(Data((label + TerminalText.shown(message) + "\n").utf8))
    }

    /// Says something beside the output.
    static func report(_ message: String) {
        FileHandle.standardError.write(Data((TerminalText.shown(message) + "\n").utf8))
    }

    /// Says something dimly on standard error, beside the output.
    static func note(_ message: String) {
        FileHandle.standardError.write(Data(shown(styled(message, .dim) + "\n").utf8))
    }

    /// Columns of the terminal, 100 where it has none.
    static var width: Int {
        // Asked anew each time, as a window can change.
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20
            ? Int(size.ws_col) : 100
    }
}
