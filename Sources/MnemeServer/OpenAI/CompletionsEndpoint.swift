import Hummingbird
import Mneme
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeStore

/// `/v1/completions` as OpenAI's clients call it.
struct CompletionsEndpoint: Sendable {
    let language: ServedLanguage

    func answer(_ call: CompletionCall, _ caller: Caller) async throws -> Response {
        var generation = language.request(call.generation, caller)
        generation.prompt =
            switch call.prompt {
            case .text(let text): language.model.tokens(of: text)
            case .tokens(let tokens): tokens
            }
        let events = try language.engine.generate(generation, span: "generate")
        let form = CompletionForm(language.model)
        guard call.delivery.streams else { return try .json(try await form.whole(events)) }
        return .events(failed: { language.note($0, caller) }) { send in
            try await form.stream(events, includesUsage: call.delivery.includesUsage, send)
        }
    }
}

/// The form of a completion.
private struct CompletionForm: Sendable {
    private let envelope: AnswerEnvelope
    private let tokenizer: any Tokenizer

    init(_ model: LanguageModel) {
        envelope = AnswerEnvelope("cmpl-", model: model)
        tokenizer = model.tokenizer
    }

    /// The completion in one piece.
    func whole(_ events: AsyncThrowingStream<GenerationEvent, any Error>) async throws -> JSONValue {
        var text = "", logprobs: CompletionLogprobs?
        for try await event in events {
            switch event {
            case .token(let piece, let token, let probability, let alternatives):
                if let probability {
                    logprobs = logprobs ?? CompletionLogprobs()
                    logprobs?.append(token, probability, alternatives, text: piece, tokenizer)
                }
                text += piece
            case .finished(let reason, let usage):
                return part(text, .string(reason.rawValue), logprobs, with: ["usage": usage.json])
            }
        }
        throw CancellationError()
    }

    /// The completion piece by piece.
    func stream(
        _ events: AsyncThrowingStream<GenerationEvent, any Error>, includesUsage: Bool,
        _ send: (JSONValue) async throws -> Void
    ) async throws {
        var offset = 0
        for try await event in events {
            switch event {
            case .token(let text, let token, let probability, let alternatives):
                guard !text.isEmpty || probability != nil else { continue }
                var logprobs: CompletionLogprobs?
                if let probability {
                    logprobs = CompletionLogprobs(offset: offset)
                    logprobs?.append(token, probability, alternatives, text: text, tokenizer)
                }
                offset += text.unicodeScalars.count
                try await send(part(text, .null, logprobs))
            case .finished(let reason, let usage):
                try await send(part("", .string(reason.rawValue), nil))
                if includesUsage {
                    try await send(
                        envelope.part("text_completion", choices: [], with: ["usage": usage.json]))
                }
            }
        }
    }

    private func part(
        _ text: String, _ reason: JSONValue, _ logprobs: CompletionLogprobs?,
        with members: [String: JSONValue] = [:]
    ) -> JSONValue {
        let choice: JSONValue = [
            "index": 0, "text": .string(text), "finish_reason": reason,
            "logprobs": logprobs?.json ?? .null,
        ]
        return envelope.part("text_completion", choices: [choice], with: members)
    }
}
