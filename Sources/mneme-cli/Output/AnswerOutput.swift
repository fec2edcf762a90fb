import Foundation
import MnemeBase

/// Writes what a model says as it comes: on a terminal as ``MnemeBase/TerminalText`` shows it, into
/// a file or to a program as it is.
struct AnswerOutput {
    private var reader = TerminalText()
    /// Whether nothing but space was written.
    private(set) var isBlank = true

    /// Writes a piece at once, without waiting for the end of a line.
    mutating func write(_ piece: String) {
        if piece.contains(where: { !$0.isWhitespace }) { isBlank = false }
        Swift.print(
            Terminal.isInteractive(STDOUT_FILENO) ? reader.shown(piece) : piece, terminator: "")
        fflush(nil)
    }
}
