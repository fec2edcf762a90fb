import Foundation
import Mneme
import MnemeCube
import MnemePipeline

/// A log of actions: now and then the next one is foretold from those before it, by what recall returns. Each text that is
/// an action counts by the square of its score; without any, the commonest action so far is foretold.
extension StreamEvaluation {
    /// Actions that a question tells, memories that are recalled, days before the first question, and days between rests.
    private static let told = 3, shown = 10, quiet = 8, rest = 5
    /// One position in so many is asked about.
    private static let every = 3

    /// Plays the log.
    ///
    /// - Throws: `StoreError`, `ModelError`.
    func playActions(_ memory: inout StreamMemory, _ row: inout Row) async throws {
        var (first, three): ([Bool], [Bool]) = ([], [])
        var counts: [String: Int] = [:]
        var positions = 0
        for (day, actions) in ActionStream(days: max(Self.quiet + 2, tasks / 5), seed: seed).days.enumerated() {
            let morning = StreamMemory.start.addingTimeInterval(Double(day) * 86_400)
            var kept: [MemoryInput] = []
            for (place, action) in actions.enumerated() {
                let time = morning.addingTimeInterval(Double(place) * 60)
                if day >= Self.quiet, place >= Self.told {
                    positions += 1
                    if positions % Self.every == 0 {
                        try await memory.record(kept, of: "user", at: time)
                        kept = []
                        let before = actions[(place - Self.told)..<place].joined(separator: ". ") + "."
                        let known = try await memory.recall(before, of: "user", limit: Self.shown, at: time)
                        let foretold = Self.foretold(known, counts)
                        first.append(foretold.first == action)
                        three.append(foretold.prefix(3).contains(action))
                    }
                }
                counts[action, default: 0] += 1
                kept.append(MemoryInput(action, eventTime: time, session: "day \(day)"))
            }
            let evening = morning.addingTimeInterval(80_000)
            try await memory.record(kept, of: "user", at: evening)
            if day % Self.rest == Self.rest - 1 { try await memory.rest(of: ["user"], at: evening) }
        }
        (row.nextAction, row.nextOfThree) = (first.share, three.share)
        row.memories += try memory.count(of: ["user"])
    }

    /// Actions, the likeliest first.
    private static func foretold(_ known: [RecalledMemory], _ counts: [String: Int]) -> [String] {
        var votes: [String: Double] = [:]
        for item in known where counts[item.memory.text] != nil {
            let score = max(0, item.score)
            votes[item.memory.text, default: 0] += score * score * Double(1 + item.duplicates.count)
        }
        let ordered = votes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
        return ordered.isEmpty ? counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key) : ordered
    }
}
