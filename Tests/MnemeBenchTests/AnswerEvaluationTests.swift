import Foundation
import MnemeBase
import MnemeBench
import MnemeCache
import MnemeEngine
import Testing

/// Caches before several models, on questions whose answers are known.
@Suite struct AnswerEvaluationTests {
    private typealias Question = ExampleEvaluation.Question

    private func question(_ text: String, _ answer: String, large: String? = nil) throws -> Question {
        var json = ["question": text, "answer": answer]
        json["large"] = large
        return try ExampleEvaluation.read(JSONSerialization.data(withJSONObject: json))[0]
    }

    /// Badges, whose form an example tells, sums that the smaller model cannot do, and the same question again.
    private func stream() throws -> [Question] {
        let names = "Ada Bo Cy Dov Eve Flo Gil Hal Ida Jo Kit Lea Max Nell Oz Pia".split(separator: " ")
        var questions: [Question] = []
        for number in 0..<160 {
            let name = names[number * 7 % 16]
            let other = names[number * 3 % 16]
            // Now and then the large model words it otherwise, which is wrong and a bad example.
            let loose = number % 16 == 4 ? "A badge for \(name)." : nil
            let next =
                try number % 3 == 2
                ? question("sum of \(number) and \(number + 1)", "\(2 * number + 1)")
                : question("badge for \(name) \(other) \(number)", "[\(name)/\(other)/\(number)]", large: loose)
            questions.append(next)
            if number % 10 == 9 { questions.append(questions[questions.count - 3]) }
        }
        return questions
    }

    @Test func `examples by use offload what the smaller model can do, and lose less than handing answers out`()
        async throws
    {
        let evaluation = try ExampleEvaluation(stream(), embedder: HashedWordsEmbedder()) { messages in
            let words = (messages.last?.content ?? "").split(separator: " ").map(String.init)
            guard words.first == "badge" else { return "12" }
            // It copies the form of the last example, if there is one of this kind.
            let example = messages.last {
                $0.role == "assistant" && ($0.content.hasPrefix("[") || $0.content.hasPrefix("A"))
            }
            guard let example, example.content.hasPrefix("[") else { return "A badge." }
            return "[" + words.dropFirst(2).joined(separator: "/") + "]"
        }
        let rows = try await evaluation.run()
        func row(_ name: String) throws -> ExampleEvaluation.Row { try #require(rows.first { $0.name == name }) }
        let (large, small) = try (row("large model alone"), row("small model alone"))
        let (reuse, near, use) = try (row("reuse, cosine 0.80"), row("nearest as examples"), row("examples by use"))
        #expect(large.largeCalls == large.questions && large.offloaded == 0 && small.quality == 0)
        #expect(use.offloaded > 0.3, "\(rows)")
        #expect(use.quality > reuse.quality + 0.1 && use.quality > near.quality, "\(rows)")
        #expect(use.quality > large.quality - 0.1 && use.largeCalls < large.largeCalls * 3 / 4, "\(rows)")
        #expect(try await evaluation.run() == rows)
    }

    @Test func `what is no stream of examples is refused`() {
        #expect(throws: InputError.self) { try ExampleEvaluation.read(Data(#"{"question": "q"}"#.utf8)) }
        #expect(throws: InputError.self) {
            try ExampleEvaluation([], embedder: HashedWordsEmbedder()) { _ in "" }
        }
    }

    @Test func `a memory and a cascade skip calls and take less energy than one large model`() throws {
        let kinds = [
            "price": ["cost", "pay", "cheap"], "place": ["where", "street", "town"], "time": ["when", "hour", "day"],
        ]
        func questions(_ start: Int) -> [CascadeEvaluation.Question] {
            (start..<(start + 90)).map { number in
                let kind = kinds.keys.sorted()[number % 3]
                let word = kinds[kind]![number / 3 % 3]
                return CascadeEvaluation.Question(question: "tell me \(word) of thing \(number % 11)", category: kind)
            }
        }
        let evaluation = try CascadeEvaluation(
            training: questions(0), asked: questions(200), embedder: HashedWordsEmbedder())
        let rows = evaluation.rows()
        func row(_ name: String) throws -> CascadeEvaluation.Row { try #require(rows.first { $0.name == name }) }
        let (large, both) = try (row("large model"), row("memory, cascade of two"))
        #expect(large.large == 180 && large.questions == 180 && large.remembered == 0)
        // Each comes twice, and some are equal besides.
        #expect(both.remembered >= 90 && both.large == 0 && both.first + both.remembered == 180)
        #expect(Double(both.right) >= 0.9 * Double(large.right) && both.joules < large.joules / 50, "\(rows)")
        #expect(try row("memory, large model").joules < 0.55 * large.joules)
        let routed = evaluation.routed
        #expect(routed.count == 90 && routed.allSatisfy { $0.confidence != nil && $0.judged != nil })
        #expect(throws: InputError.self) {
            try CascadeEvaluation(training: [], asked: questions(0), embedder: HashedWordsEmbedder())
        }
    }
}
