import Foundation
import Mneme
import MnemeCube
import MnemePipeline

/// News of companies, and questions for their outlook: of the texts that recall returns, more that speak for gains than
/// for losses foretell a gain. Where they balance, or there are none, a gain is foretold as well.
extension StreamEvaluation {
    /// Memories that are recalled for a question, and days between two rests.
    private static let shown = 5, rest = 20

    /// Plays the news.
    ///
    /// - Throws: `StoreError`, `ModelError`.
    func playNews(_ memory: inout StreamMemory, _ row: inout Row) async throws {
        let days = tasks * 6 / 5
        let stream = NewsStream(days: days, seed: seed)
        let items = Dictionary(grouping: stream.items, by: \.day)
        let questions = Dictionary(grouping: stream.questions, by: \.day)
        var right: [Bool] = []
        for day in 0..<days {
            let morning = StreamMemory.start.addingTimeInterval(Double(day) * 86_400)
            let inputs = (items[day] ?? []).enumerated().map { place, item in
                var input = MemoryInput(
                    item.text, eventTime: morning.addingTimeInterval(Double(place) * 60), session: "day \(day)")
                input.type = item.form.type
                return input
            }
            let noon = morning.addingTimeInterval(43_200)
            try await memory.record(inputs, of: "trader", at: noon)
            for question in questions[day] ?? [] {
                let text = NewsStream.question(question.company)
                let known = try await memory.recall(text, of: "trader", limit: Self.shown, at: noon)
                let balance = known.reduce(0) { sum, item in
                    guard item.memory.text.contains(question.company) else { return sum }
                    return sum + (item.memory.text.contains("gains") ? 1 : 0)
                        - (item.memory.text.contains("losses") ? 1 : 0)
                }
                right.append((balance >= 0) == question.isGood)
            }
            if day % Self.rest == Self.rest - 1 { try await memory.rest(of: ["trader"], at: noon) }
        }
        row.outlooks = right.share
        row.memories += try memory.count(of: ["trader"])
    }
}
