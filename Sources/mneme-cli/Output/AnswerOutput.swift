import Foundation
import MnemeBase

/// Writes what a model says as it comes: on a terminal as ``MnemeBase/TerminalText`` shows it, into
/// a file or to a program as it is.
struct AnswerOutput {
    /// The state between two pieces, as a control sequence may be cut in two.
    private var reader = TerminalText()
    /// True while nothing but space was written: then a note says that the model had no answer.
    private(set) var isBlank = true

    /// Writes a piece at once, without waiting for the end of a line.
    mutating func write(_ piece: String) {
        if piece.contains(where: { !$0.isWhitespace }) { isBlank = false }
        Swift.print(
            Terminal.isInteractive(STDOUT_FILENO) ? reader.shown(piece) : piece, terminator: "")
        fflush(nil)
    }
}
