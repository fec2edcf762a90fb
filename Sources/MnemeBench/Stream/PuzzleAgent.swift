import MnemeBase

/// A simple solver that acts by what recall returns: it tries programs of two moves on a puzzle's example, those that
/// memories speak for first, and ends after a few tries.
///
/// It knows what things and moves are called, not what any thing means. A text speaks for the moves that it names, by the
/// square of the share of its things that stand around this puzzle, and against a program that it says does not fit.
struct PuzzleAgent: Sendable {
    /// Programs that it tries on a puzzle.
    static let tries = 8

    /// How a puzzle ended.
    struct Outcome: Sendable {
        /// Programs in the order in which they were tried; the last one fitted the example if any did.
        var tried: [[ToyGrid.Move]]
        /// True if the last one fits the example.
        var fits: Bool
        /// True if it also gives the asked picture.
        var isSolved: Bool
    }

    /// Every program of two different moves.
    private static let programs = ToyGrid.Move.allCases.flatMap { first in
        ToyGrid.Move.allCases.filter { $0 != first }.map { [first, $0] }
    }

    /// Plays one puzzle.
    ///
    /// - Parameters:
    ///   - texts: what recall returned.
    ///   - seed: of the order in which programs are tried that no memory tells apart.
    func play(_ puzzle: PuzzleStream.Puzzle, knowing texts: [String], seed: UInt64) -> Outcome {
        var generator = SplitMix64(seed: seed)
        var moves: [ToyGrid.Move: Double] = [:]
        var against: [[ToyGrid.Move]: Double] = [:]
        let shown = Set(puzzle.things)
        for text in texts {
            let words = text.lowercased().split { !$0.isLetter }.map(String.init)
            let things = Set(words).intersection(PuzzleStream.things)
            guard !things.isEmpty else { continue }
            let share = Double(things.intersection(shown).count) / Double(things.count)
            let named = words.compactMap { ToyGrid.Move(rawValue: $0) }
            if words.contains("not") {
                for first in stride(from: 0, to: named.count - 1, by: 2) {
                    against[Array(named[first...(first + 1)]), default: 0] += share * share
                }
            } else {
                for move in Set(named) { moves[move, default: 0] += share * share }
            }
        }
        let order = Self.programs.shuffled(using: &generator).map { program in
            (program, program.reduce(0) { $0 + (moves[$1] ?? 0) } - (against[program] ?? 0))
        }.enumerated().sorted { ($1.element.1, $0.offset) < ($0.element.1, $1.offset) }.map(\.element.0)
        var outcome = Outcome(tried: [], fits: false, isSolved: false)
        for program in order.prefix(Self.tries) {
            outcome.tried.append(program)
            guard puzzle.before.applying(program) == puzzle.after else { continue }
            outcome.fits = true
            outcome.isSolved = puzzle.asked.applying(program) == puzzle.answer
            break
        }
        return outcome
    }
}
