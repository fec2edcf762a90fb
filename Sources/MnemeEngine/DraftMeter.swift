/// Decides how many tokens to draft: as many as make the expected rate of answer tokens highest, by
/// what steps have taken on this machine and how many drafted tokens of the answer were accepted so far.
///
/// A step of more rows takes longer, much or little, by processor, model and context; none of that
/// is assumed.
package struct DraftMeter {
    /// Most rows of a step that drafts may make: above, it computes prompts and has no time to spare.
    package static let mostRows = 24
    /// Cost of a further row where nothing was measured yet, as a share of a step of one row.
    private static let assumed = 0.1

    /// Smoothed seconds of a step, by its rows; 0 where none was made.
    private var seconds = [Double](repeating: 0, count: mostRows + 1)

    /// A meter that has measured nothing yet.
    package init() {}

    /// Notes what a step took.
    package mutating func note(rows: Int, seconds taken: Double) {
        guard rows <= Self.mostRows else { return }
        seconds[rows] = seconds[rows] == 0 ? taken : seconds[rows] * 0.8 + taken * 0.2
    }

    /// Expected seconds of a step: as measured, or from the nearest smaller one that was.
    private func cost(_ rows: Int) -> Double {
        let measured = seconds[...rows].lastIndex { $0 > 0 } ?? 0
        guard measured > 0 else { return 1 + Self.assumed * Double(rows) }
        let row = seconds.first { $0 > 0 } ?? seconds[measured]
        return seconds[measured] + Self.assumed * row * Double(rows - measured)
    }

    /// The number of tokens to draft for one sequence.
    ///
    /// - Parameters:
    ///   - rows: of the step without them.
    ///   - expectedTokens: tokens that the step samples without them, and those expected of other drafts.
    ///   - most: tokens of the draft that there are.
    ///   - acceptance: how likely one is accepted, from 0 to 1.
    /// - Returns: their number, and how many are expected to be accepted.
    package func best(rows: Int, expectedTokens: Double, most: Int, acceptance: Double) -> (
        tokens: Int, expected: Double
    ) {
        guard rows > 0, rows < Self.mostRows else { return (0, 0) }
        var best = (tokens: 0, expected: 0.0)
        var rate = expectedTokens / cost(rows)
        var expected = 0.0
        var chance = 1.0
        for tokens in 1...max(1, most) where tokens <= min(most, Self.mostRows - rows) {
            chance *= acceptance
            expected += chance
            let with = (expectedTokens + expected) / cost(rows + tokens)
            if with > rate { (best, rate) = ((tokens, expected), with) }
        }
        return best
    }
}
