import Foundation
import MnemeBase

/// What an adapter makes of a model: answers that are right, their loss, and the perplexity of a text
/// that has nothing to do with them, each with the adapter and without.
package struct AdapterEvaluation: Sendable, Codable, Equatable {
    /// A question, and what its answer must contain.
    package struct Question: Sendable, Equatable {
        package var prompt: String
        package var answer: String
        /// The procedure that the answer is to follow, of an adapter that has some; nil where that is not asked.
        package var procedure: String?

        package init(prompt: String, answer: String) {
            (self.prompt, self.answer) = (prompt, answer)
        }

        /// Reads lines of JSON with `prompt` and `answer`, and `procedure` where the adapter has some.
        ///
        /// - Throws: `InputError` that names the first line that is none; also if there is no line.
        package static func read(_ path: String) throws -> [Question] {
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw InputError("\(path) cannot be read as UTF-8 text.")
            }
            let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            let questions = try lines.enumerated().compactMap { i, line -> Question? in
                guard !line.allSatisfy(\.isWhitespace) else { return nil }
                let json = Array(line.utf8).withUnsafeBytes { try? OrderedJSON(bytes: $0) }
                guard let prompt = json?["prompt"]?.string, let answer = json?["answer"]?.string,
                    !prompt.allSatisfy(\.isWhitespace), !answer.allSatisfy(\.isWhitespace)
                else {
                    throw InputError(
                        "Line \(i + 1) of \(path) is not {\"prompt\": \"…\", \"answer\": \"…\"} with both.")
                }
                var question = Question(prompt: prompt, answer: answer)
                question.procedure = json?["procedure"]?.string
                return question
            }
            guard !questions.isEmpty else { throw InputError("\(path) holds no question.") }
            return questions
        }

        /// True if a text contains the answer, in capital or small letters.
        package func isAnswered(by text: String) -> Bool {
            let wanted = answer.trimmingCharacters(in: .whitespacesAndNewlines)
            return text.lowercased().contains(wanted.lowercased())
        }
    }

    /// A model's figures.
    package struct Figures: Sendable, Codable, Equatable {
        /// Questions whose greedy answer contains what it must.
        package var right = 0
        /// The mean -ln p of a token of the right answers.
        package var answerLoss = 0.0
        /// Questions whose answer begins with the procedure that it is to follow; nil where none is asked for.
        package var procedures: Int?
        /// exp of the mean -ln p of the text's tokens; nil if there is no text.
        package var perplexity: Double?
    }

    /// Tokens of a window of the text; each begins anew.
    package static let window = 512

    /// Questions, tokens of their right answers, and tokens of the text that were counted.
    package var questions = 0, answerTokens = 0, textTokens = 0
    /// The model as it is, and with the adapter.
    package var without = Figures(), with = Figures()

    /// Measures.
    ///
    /// - Parameters:
    ///   - adapter: a name in the engine's store.
    ///   - text: tokens of the text; empty for none.
    ///   - maxTokens: of an answer.
    ///   - encode: a question with its answer as tokens, and how many of them are the prompt.
    ///   - progress: called with what is done and what there is in all.
    /// - Throws: ``EngineError``, `AdapterError`, `CancellationError`.
    /// - Complexity: two answers and two prefills a question, two prefills a window of the text.
    package static func run(
        _ engine: Engine, adapter: String, questions: [Question], text: [Int32] = [],
        maxTokens: Int = 64, encode: (Question) -> (tokens: [Int32], promptTokens: Int),
        progress: (Int, Int) -> Void = { _, _ in }
    ) async throws -> AdapterEvaluation {
        var result = AdapterEvaluation()
        result.questions = questions.count
        let windows = stride(from: 0, to: text.count, by: window).map {
            Array(text[$0..<min($0 + window, text.count)])
        }.filter { $0.count > 1 }
        let total = questions.count + windows.count
        for (i, question) in questions.enumerated() {
            let (tokens, promptTokens) = encode(question)
            let prompt = Array(tokens.prefix(promptTokens))
            // Side by side in one batch.
            async let plain = answer(engine, prompt, nil, maxTokens)
            async let adapted = answer(engine, prompt, adapter, maxTokens)
            if question.isAnswered(by: try await plain.text) { result.without.right += 1 }
            let (text, followed) = try await adapted
            if question.isAnswered(by: text) { result.with.right += 1 }
            if let procedure = question.procedure {
                result.with.procedures = (result.with.procedures ?? 0) + (followed.first == procedure ? 1 : 0)
            }
            result.without.answerLoss += try await loss(engine, tokens, promptTokens, nil)
            result.with.answerLoss += try await loss(engine, tokens, promptTokens, adapter)
            result.answerTokens += tokens.count - promptTokens
            progress(i + 1, total)
        }
        let answered = Double(max(1, result.answerTokens))
        result.without.answerLoss /= answered
        result.with.answerLoss /= answered
        var (plain, adapted) = (0.0, 0.0)
        for (i, part) in windows.enumerated() {
            plain += try await loss(engine, part, 1, nil)
            adapted += try await loss(engine, part, 1, adapter)
            result.textTokens += part.count - 1
            progress(questions.count + i + 1, total)
        }
        if result.textTokens > 0 {
            result.without.perplexity = exp(plain / Double(result.textTokens))
            result.with.perplexity = exp(adapted / Double(result.textTokens))
        }
        return result
    }

    /// The greedy answer, and the procedures that it followed.
    private static func answer(
        _ engine: Engine, _ prompt: [Int32], _ adapter: String?, _ maxTokens: Int
    ) async throws -> (text: String, procedures: [String]) {
        var request = GenerationRequest(prompt: prompt)
        (request.adapter, request.maxTokens) = (adapter, maxTokens)
        var (text, procedures) = ("", [String]())
        for try await event in try engine.generate(request) {
            switch event {
            case .token(let part, _, _, _): text += part
            case .finished(_, let usage): procedures = usage.procedures
            }
        }
        return (text, procedures)
    }

    /// The sum of -ln p of the tokens from `first` on.
    private static func loss(
        _ engine: Engine, _ tokens: [Int32], _ first: Int, _ adapter: String?
    ) async throws -> Double {
        guard tokens.count > first else { return 0 }
        return try await engine.probabilities(
            of: tokens, from: first, alternatives: 0, adapter: adapter
        ).reduce(0) { $0 - ($1.logProbability ?? 0) }
    }
}
