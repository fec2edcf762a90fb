import Foundation
import MnemeEngine
import MnemeModels
import Testing

/// Drafts from the prompt: where they come from and how many are made.
@Suite struct DraftTests {
    @Test func `what followed the longest run before is drafted, of equal runs the latest`() {
        var lookup = PromptLookup([1, 2, 3, 4, 9, 2, 3, 4, 5, 6, 7, 8, 0, 2, 3])
        #expect(lookup.draft(8).isEmpty)
        lookup.append(4)
        #expect(Array(lookup.draft(3)) == [5, 6, 7])
        #expect(lookup.draft(0).isEmpty)
        lookup.append(9)
        #expect(Array(lookup.draft(100)) == [2, 3, 4, 5, 6, 7, 8, 0, 2, 3, 4, 9])
        var repeated = PromptLookup([7, 7, 7])
        repeated.append(7)
        #expect(Array(repeated.draft(4)) == [7])
        #expect(PromptLookup([]).draft(4).isEmpty && PromptLookup([1, 2, 3]).draft(4).isEmpty)
    }

    @Test func `a draft is what a search through all runs finds`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let tokens = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                Int32.random(in: 0..<3, using: &random)
            }
            var best: (length: Int, end: Int)?
            for end in stride(from: tokens.count - 1, through: 3, by: -1) {
                var length = 0
                while length < min(12, end), tokens[end - 1 - length] == tokens[tokens.count - 1 - length] {
                    length += 1
                }
                if length >= 3, length > best?.length ?? 0 { best = (length, end) }
            }
            let wanted = best.map { Array(tokens[$0.end...].prefix(5)) } ?? []
            #expect(Array(PromptLookup(tokens).draft(5)) == wanted, "\(tokens)")
        }
    }

    @Test func `drafts are as long as pays by what steps took`() {
        var free = DraftMeter()
        var dear = DraftMeter()
        for rows in 1...DraftMeter.mostRows {
            free.note(rows: rows, seconds: 1)
            dear.note(rows: rows, seconds: Double(rows))
        }
        #expect(free.best(rows: 1, expectedTokens: 1, most: 8, acceptance: 0.9).tokens == 8)
        #expect(free.best(rows: 20, expectedTokens: 4, most: 8, acceptance: 0.9).tokens == 4)
        #expect(dear.best(rows: 1, expectedTokens: 1, most: 8, acceptance: 0.9).tokens == 0)
        #expect(free.best(rows: 200, expectedTokens: 1, most: 8, acceptance: 0.9).tokens == 0)
        #expect(free.best(rows: 1, expectedTokens: 1, most: 0, acceptance: 0.9).tokens == 0)
        // Nothing measured: they are tried.
        #expect(DraftMeter().best(rows: 1, expectedTokens: 1, most: 8, acceptance: 0.6).tokens > 0)
    }
}

@Suite(
    .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
    .serialized)
struct DraftedAnswerTests {
    private struct Answer: Equatable {
        var tokens: [Int32] = [], text = "", probabilities: [Double?] = []
        var alternatives: [[TokenProbability]] = [], reason: FinishReason?
    }

    private static func answer(_ engine: Engine, _ request: GenerationRequest) async throws -> Answer {
        var answer = Answer()
        for try await event in try engine.generate(request) {
            switch event {
            case .token(let text, let id, let probability, let alternatives):
                answer.text += text
                answer.tokens.append(id)
                answer.probabilities.append(probability)
                answer.alternatives.append(alternatives)
            case .finished(let reason, _): answer.reason = reason
            }
        }
        return answer
    }

    private static func requests(_ model: LanguageModel) throws -> [GenerationRequest] {
        let notes = (0..<6).map {
            "Note \($0): the key of locker \($0 * 37) lies under the blue stone behind shed \($0 + 2).\n"
        }.joined()
        let tokens = try model.tokens(of: [
            ChatMessage(role: "user", content: notes + "Repeat the notes word for word.")
        ])
        let plain = model.tokens(of: notes + notes + "Note 0: the key of")
        let schema = try JSONSchema(
            #"""
            {"type": "object", "required": ["notes"], "properties":
             {"notes": {"type": "array", "items": {"type": "string"}, "minItems": 2}}}
            """#)
        return [tokens, plain].flatMap { prompt in
            (0..<5).map { i in
                var request = GenerationRequest(prompt: prompt)
                request.maxTokens = 60 + i
                request.sampling.temperature = i % 2 == 0 ? 0 : 0.7
                request.sampling.seed = UInt64(i)
                if i == 1 { request.sampling.frequencyPenalty = 0.4 }
                if i == 2 { request.alternatives = 3 }
                if i == 3 { request.stop = ["stone behind"] }
                if i == 4 { request.schema = schema }
                return request
            }
        }
    }

    @Test func `answers are the same with drafts, alone and beside others`() async throws {
        let model = try RealModel.loaded.get()
        var limits = Engine.Limits()
        limits.draftTokens = 0
        let plain = try Engine(model, limits: limits)
        let drafting = try Engine(model)
        defer {
            plain.close()
            drafting.close()
        }
        let requests = try Self.requests(model)
        var wanted: [Answer] = []
        for request in requests { wanted.append(try await Self.answer(plain, request)) }
        #expect(plain.statistics.draftedTokens == 0)
        for (request, wanted) in zip(requests, wanted) {
            #expect(try await Self.answer(drafting, request) == wanted)
        }
        let alone = drafting.statistics
        #expect(alone.acceptedTokens > 50 && alone.draftedTokens > alone.acceptedTokens)
        #expect(alone.completionTokens == wanted.reduce(0) { $0 + $1.tokens.count })
        let together = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for (i, request) in requests.enumerated() {
                group.addTask { (i, try await Self.answer(drafting, request)) }
            }
            return try await group.reduce(into: [Int: Answer]()) { $0[$1.0] = $1.1 }
        }
        for (i, wanted) in wanted.enumerated() { #expect(together[i] == wanted, "\(i)") }
    }
}
