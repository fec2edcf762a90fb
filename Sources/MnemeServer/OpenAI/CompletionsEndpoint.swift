import Hummingbird
import Mneme
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeStore

/// `/v1/completions` as OpenAI's clients call it.
struct CompletionsEndpoint: Sendable {
    /// The language model that continues the texts.
    let language: ServedLanguage

    /// Answers each prompt as often as the request wants. Every answer is a request of its own to
    /// the engine, which runs them side by side and computes a prompt that they share once.
    func answer(_ call: CompletionCall, _ caller: Caller) async throws -> Response {
        var answers: [Completion] = []
        let prompts = try await probabilities(of: call)
        for (place, prompt) in call.prompts.enumerated() {
            var generation = language.request(call.generation, caller)
            generation.prompt = tokens(of: prompt)
            let echo = call.echoes ? text(of: prompt) : ""
            for number in 0..<call.answers {
                // All run side by side in the engine, whichever is read first. Each goes on whether
                // it is read or not.
                let events = try language.engine.generate(
                    generation.numbered(number), span: "generate")
                answers.append(
                    Completion(
                        index: answers.count, events: events, echo: echo,
                        echoed: prompts?[place], countsPrompt: number == 0))
            }
        }
        let form = CompletionForm(language.model)
        let schema = call.generation.schema
        guard call.delivery.streams else {
            return try .json(try await form.whole(answers)).noticing(schema)
        }
        return .events(failed: { language.note($0, caller) }) { [answers] send in
            try await form.stream(answers, includesUsage: call.delivery.includesUsage, send)
        }.noticing(schema)
    }

    /// Log-probabilities of the prompts, if the request wants them with its answers; nil if not.
    ///
    /// - Throws: `InputError` for more tokens than are computed for one request.
    private func probabilities(of call: CompletionCall) async throws -> [CompletionLogprobs]? {
        guard call.echoes, let alternatives = call.generation.alternatives else { return nil }
        let prompts = call.prompts.map { ($0, tokens(of: $0)) }
        let sum = prompts.reduce(0) { $0 + $1.1.count }
        guard sum <= Engine.maximumScoredTokens else {
            throw InputError(
                "'echo' with 'logprobs' is done for \(Engine.maximumScoredTokens) tokens of prompts at most; these have \(sum)."
            )
        }
        var result: [CompletionLogprobs] = []
        for (prompt, tokens) in prompts {
            let scored = try await language.engine.probabilities(
                of: tokens, alternatives: alternatives, adapter: language.adapter)
            // The token that the model puts before a text is not the text's.
            let own = scored.dropFirst(prompt.text == nil ? 0 : lead)
            result.append(CompletionLogprobs(own, language.model.tokenizer))
        }
        return result
    }

    /// Tokens before a text's own.
    private var lead: Int { language.model.tokenizer.beginToken == nil ? 0 : 1 }

    /// A prompt's tokens.
    private func tokens(of prompt: CompletionFields.Prompt) -> [Int32] {
        switch prompt {
        case .text(let text): language.model.tokens(of: text)
        case .tokens(let tokens): tokens
        }
    }

    /// The text that an answer repeats of its prompt.
    private func text(of prompt: CompletionFields.Prompt) -> String {
        switch prompt {
        case .text(let text): text
        case .tokens(let tokens):
            String(decoding: tokens.flatMap { language.model.tokenizer.bytes($0) }, as: UTF8.self)
        }
    }
}

/// One of the answers to a request.
private struct Completion: Sendable {
    /// Its place among the request's answers: prompt by prompt.
    let index: Int
    let events: AsyncThrowingStream<GenerationEvent, any Error>
    /// Text before the answer.
    let echo: String
    /// Log-probabilities of that text; nil if they are not told.
    let echoed: CompletionLogprobs?
    /// True if the prompt is counted with it: answers to one prompt count it once.
    let countsPrompt: Bool
}

/// The form of a completion.
private struct CompletionForm: Sendable {
    /// Members that all parts of the answer share.
    private let envelope: AnswerEnvelope
    /// Gives the texts of tokens.
    private let tokenizer: any Tokenizer

    init(_ model: LanguageModel) {
        envelope = AnswerEnvelope("cmpl-", model: model)
        tokenizer = model.tokenizer
    }

    /// All answers in one piece.
    func whole(_ answers: [Completion]) async throws -> JSONValue {
        var choices: [JSONValue] = []
        var total = GenerationUsage()
        for answer in answers {
            var text = answer.echo
            var logprobs = answer.echoed
            var isComplete = false
            for try await event in answer.events {
                switch event {
                case .token(let piece, let token, let probability, let alternatives):
                    if let probability {
                        logprobs =
                            logprobs
                            ?? CompletionLogprobs(offset: answer.echo.unicodeScalars.count)
                        logprobs?.append(token, probability, alternatives, text: piece, tokenizer)
                    }
                    text += piece
                case .finished(let reason, let usage):
                    isComplete = true
                    total.add(usage, withPrompt: answer.countsPrompt)
                    choices.append(choice(answer, text, .string(reason.rawValue), logprobs))
                }
            }
            guard isComplete else { throw CancellationError() }
        }
        return envelope.part("text_completion", choices: choices, with: ["usage": total.json])
    }

    /// The answers piece by piece, one behind the other.
    func stream(
        _ answers: [Completion], includesUsage: Bool, _ send: (JSONValue) async throws -> Void
    ) async throws {
        var total = GenerationUsage()
        func sendPart(
            _ answer: Completion, _ text: String, _ reason: JSONValue = .null,
            _ logprobs: CompletionLogprobs? = nil
        ) async throws {
            let choice = choice(answer, text, reason, logprobs)
            try await send(envelope.part("text_completion", choices: [choice]))
        }
        for answer in answers {
            var offset = answer.echo.unicodeScalars.count
            if !answer.echo.isEmpty {
                try await sendPart(answer, answer.echo, .null, answer.echoed)
            }
            for try await event in answer.events {
                switch event {
                case .token(let text, let token, let probability, let alternatives):
                    guard !text.isEmpty || probability != nil else { continue }
                    var logprobs: CompletionLogprobs?
                    if let probability {
                        logprobs = CompletionLogprobs(offset: offset)
                        logprobs?.append(token, probability, alternatives, text: text, tokenizer)
                    }
                    offset += text.unicodeScalars.count
                    try await sendPart(answer, text, .null, logprobs)
                case .finished(let reason, let usage):
                    total.add(usage, withPrompt: answer.countsPrompt)
                    try await sendPart(answer, "", .string(reason.rawValue))
                }
            }
        }
        if includesUsage {
            try await send(
                envelope.part("text_completion", choices: [], with: ["usage": total.json]))
        }
    }

    /// An answer, or a piece of it.
    ///
    /// - Parameter reason: why it ended; null before its end.
    private func choice(
        _ answer: Completion, _ text: String, _ reason: JSONValue, _ logprobs: CompletionLogprobs?
    ) -> JSONValue {
        [
            "index": .number(Double(answer.index)), "text": .string(text), "finish_reason": reason,
            "logprobs": logprobs?.json ?? .null,
        ]
    }
}
