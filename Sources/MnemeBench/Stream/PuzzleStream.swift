import MnemeBase

/// A seeded stream of puzzles: each shows a picture before and after two moves, and things around it. Two of the things
/// tell the moves, which nobody says; the others are there by chance.
///
/// So the rules recur while hardly any puzzle does: what helps is to know what a thing means, not which puzzle is like
/// this one. Notes that somebody made up stand between the results, and look as they do.
struct PuzzleStream: Sendable {
    /// One puzzle.
    struct Puzzle: Sendable {
        /// Things around the picture, in no order that tells anything.
        var things: [String]
        /// The example, before and after, and the picture that is asked about.
        var before: ToyGrid, after: ToyGrid, asked: ToyGrid
        /// What the asked picture becomes.
        var answer: ToyGrid

        /// What an agent reads.
        var text: String { "Grid with " + things.joined(separator: ", ") + "." }
    }

    /// What is played, in order.
    let puzzles: [Puzzle]
    /// A note that arrives behind a puzzle, by its place: its things and the program that it claims.
    let notes: [Int: (things: [String], program: [ToyGrid.Move])]

    /// All names of things.
    static let things = [
        "lamp", "arrow", "key", "leaf", "drum", "bell", "comb", "boat", "fork", "kite", "vase", "rope", "coin", "shell",
        "brush", "crown", "ladder", "candle", "basket", "feather", "anchor", "button", "hammer", "mitten", "pencil",
        "ribbon", "saddle", "teapot", "thimble", "whistle",
    ]
    /// Things of a puzzle besides the two that tell its moves.
    static let ornaments = 3
    /// The share of puzzles that a made-up note follows.
    static let noise = 0.5

    /// - Parameters:
    ///   - count: puzzles.
    ///   - seed: the same gives the same stream.
    init(count: Int, seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let names = Self.things.shuffled(using: &generator)
        let moves = ToyGrid.Move.allCases
        let (marks, others) = (Array(names.prefix(moves.count)), Array(names.dropFirst(moves.count)))
        func around(_ places: ArraySlice<Int>) -> [String] {
            (places.map { marks[$0] } + others.shuffled(using: &generator).prefix(Self.ornaments))
                .shuffled(using: &generator)
        }
        var puzzles: [Puzzle] = []
        var notes: [Int: (things: [String], program: [ToyGrid.Move])] = [:]
        for number in 0..<count {
            let places = Array(moves.indices).shuffled(using: &generator).prefix(2)
            let program = places.map { moves[$0] }
            let (before, asked) = (ToyGrid(using: &generator), ToyGrid(using: &generator))
            puzzles.append(
                Puzzle(
                    things: around(places), before: before, after: before.applying(program), asked: asked,
                    answer: asked.applying(program)))
            if generator.unit() < Self.noise {
                let shown = Array(moves.indices).shuffled(using: &generator).prefix(2)
                notes[number] = (around(shown), Array(moves.shuffled(using: &generator).prefix(2)))
            }
        }
        (self.puzzles, self.notes) = (puzzles, notes)
    }
}
