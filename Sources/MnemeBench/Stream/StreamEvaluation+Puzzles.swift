import Foundation
import Mneme
import MnemeCube
import MnemePipeline

/// Puzzles, by a team of three: each is one agent's to solve, the others try in turn, and what came of it is kept.
extension StreamEvaluation {
    private static let team = ["Ada", "Bo", "Cy"]
    /// Who makes notes up, memories that are recalled for a puzzle, puzzles between two rests, and seconds from one to the
    /// next.
    private static let stranger = "Dov", shown = 8, rest = 10, pace = 21_600.0

    /// Plays the puzzles.
    ///
    /// - Parameter isAlone: each agent knows its own puzzles alone.
    /// - Throws: `StoreError`, `ModelError`.
    func playPuzzles(_ memory: inout StreamMemory, isAlone: Bool, _ row: inout Row) async throws {
        let stream = PuzzleStream(count: tasks, seed: seed)
        let users = isAlone ? Self.team : ["team"]
        var solved: [Bool] = []
        for (number, puzzle) in stream.puzzles.enumerated() {
            let user = users[number % users.count]
            let time = StreamMemory.start.addingTimeInterval(Double(number) * Self.pace)
            let known = try await memory.recall(puzzle.text, of: user, limit: Self.shown, at: time)
            let outcome = PuzzleAgent().play(
                puzzle, knowing: known.map(\.memory.text), seed: seed &* 7_919 &+ UInt64(number))
            solved.append(outcome.isSolved)
            var inputs = Self.report(puzzle, outcome, number)
            if let note = stream.notes[number] {
                let things = "Grid with " + note.things.joined(separator: ", ") + "."
                var input = Self.trace(things, "Solved by", [note.program], value: 1)
                (input.speaker, input.session) = (Self.stranger, "note \(number)")
                inputs.append(input)
            }
            for place in inputs.indices { inputs[place].eventTime = time.addingTimeInterval(Double(place + 1) * 60) }
            try await memory.record(inputs, of: user, at: time.addingTimeInterval(3_600))
            if number % Self.rest == Self.rest - 1 {
                try await memory.rest(of: users, at: time.addingTimeInterval(7_200))
            }
        }
        row.firstHalf = solved.prefix(solved.count / 2).share
        row.secondHalf = solved.dropFirst(solved.count / 2).share
        row.memories += try memory.count(of: users)
    }

    /// What is kept of one puzzle: what each agent tried in vain, and how it ended.
    private static func report(_ puzzle: PuzzleStream.Puzzle, _ outcome: PuzzleAgent.Outcome, _ number: Int)
        -> [MemoryInput]
    {
        let vain = outcome.isSolved ? outcome.tried.dropLast() : outcome.tried[...]
        let last = team[(number + outcome.tried.count - 1) % team.count]
        var inputs = team.indices.compactMap { place -> MemoryInput? in
            let own = vain.indices.filter { (number + $0) % team.count == place }
            guard !own.isEmpty else { return nil }
            return MemoryInput(
                "Tried " + own.map { words(vain[$0]) }.joined(separator: " and ") + " in vain.", speaker: team[place])
        }
        var result =
            outcome.isSolved
            ? trace(puzzle.text, "Solved by", [outcome.tried.last!], value: 1)
            : trace(puzzle.text, "Not solved by", outcome.tried, value: 0)
        result.speaker = last
        inputs.append(result)
        for place in inputs.indices { inputs[place].session = "puzzle \(number)" }
        return inputs
    }

    /// A puzzle and what was done, as text and in the values that cases have.
    private static func trace(_ text: String, _ how: String, _ programs: [[ToyGrid.Move]], value: Int) -> MemoryInput {
        var input = MemoryInput("\(text) \(how) " + programs.map(words).joined(separator: ", ") + ".")
        input.metadata = [
            "task": text, "approach": programs.last!.map(\.rawValue).joined(separator: ", "), "value": String(value),
        ]
        return input
    }

    private static func words(_ program: [ToyGrid.Move]) -> String { program.map(\.rawValue).joined(separator: " ") }
}
