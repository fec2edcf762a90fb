import Foundation
import Mneme
import MnemeChat
import MnemeEngine

/// The form of an answer of `/api/chat` and `/api/generate`: one object, or one a piece.
struct OllamaForm: Sendable {
    /// The shape of an answer: its text is in a message, or on its own.
    enum Kind: Sendable { case chat, generate }

    /// The model's name.
    private let model: String
    /// The route whose form the answer has.
    private let kind: Kind
    /// Words the tokens' log-probabilities, as OpenAI's chat does: Ollama's have the same members.
    private let logprobs: ChatLogprobs

    init(_ model: LanguageModel, _ kind: Kind) {
        self.model = model.name
        self.kind = kind
        logprobs = ChatLogprobs(tokenizer: model.tokenizer)
    }

    /// The answer to a request that only wants the model to be there.
    var loaded: JSONValue { part("", with: ["done": true, "done_reason": "load"]) }

    /// The answer in one piece.
    func whole(_ answer: some AsyncSequence<ChatEvent, any Error>) async throws -> JSONValue {
        var reply = ChatReply()
        var isComplete = false
        for try await event in answer {
            reply.append(event)
            if case .finished = event { isComplete = true }
        }
        guard isComplete else { throw CancellationError() }
        var members = end(reply.reason, reply.usage)
        members["logprobs"] = probabilities(reply.tokens)
        return part(reply.text, calls: reply.toolCalls, with: members)
    }

    /// The answer piece by piece; a call comes whole.
    func stream(
        _ answer: some AsyncSequence<ChatEvent, any Error>,
        _ send: (JSONValue) async throws -> Void
    ) async throws {
        var reply = ChatReply()
        var sent = 0
        for try await event in answer {
            reply.append(event)
            switch event {
            case .text(let text, let tokens):
                let probabilities = probabilities(tokens)
                guard !text.isEmpty || probabilities != nil else { continue }
                var members: [String: JSONValue] = ["done": false]
                members["logprobs"] = probabilities
                try await send(part(text, with: members))
            case .toolCall(let index, _, _):
                if index > sent { try await sendCalls(reply.toolCalls[sent..<index], send) }
                sent = max(sent, index)
            case .toolArguments: continue
            case .finished(let reason, let usage):
                try await sendCalls(reply.toolCalls[sent...], send)
                try await send(part("", with: end(reason, usage)))
            }
        }
    }

    /// Sends calls, each whole and in a line of its own: Ollama's clients do not put pieces of
    /// arguments together.
    private func sendCalls(
        _ calls: ArraySlice<ToolCall>, _ send: (JSONValue) async throws -> Void
    ) async throws {
        for call in calls { try await send(part("", calls: [call], with: ["done": false])) }
    }

    /// A part of the answer.
    ///
    /// - Parameter members: what stands beside the text.
    private func part(
        _ text: String, calls: [ToolCall] = [], with members: [String: JSONValue]
    ) -> JSONValue {
        var result: [String: JSONValue] = [
            "model": .string(model),
            "created_at": .string(Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
        ]
        switch kind {
        case .generate: result["response"] = .string(text)
        case .chat:
            var message: [String: JSONValue] = ["role": "assistant", "content": .string(text)]
            if !calls.isEmpty { message["tool_calls"] = .array(calls.map(Self.call)) }
            result["message"] = .object(message)
        }
        return .object(result.merging(members) { $1 })
    }

    /// A call as Ollama has it: arguments are an object, not its text. What an answer's end cut off
    /// is an empty object.
    private static func call(_ call: ToolCall) -> JSONValue {
        let arguments = try? JSONValue(parsing: Array(call.arguments.utf8))
        return ["function": ["name": .string(call.name), "arguments": arguments ?? [:]]]
    }

    /// Log-probabilities of tokens; nil unless the request asked for them.
    private func probabilities(_ tokens: [SampledToken]) -> JSONValue? {
        let entries = tokens.compactMap { token in
            token.logProbability.map { logprobs.entry(token.id, $0, token.alternatives) }
        }
        return entries.isEmpty ? nil : .array(entries)
    }

    /// Members of the last piece: why the answer ended, and what it took. Times are in nanoseconds.
    private func end(_ reason: FinishReason, _ usage: GenerationUsage) -> [String: JSONValue] {
        func nanoseconds(_ seconds: Double) -> JSONValue {
            .number((max(0, seconds) * 1e9).rounded())
        }
        var members: [String: JSONValue] = [
            "done": true, "done_reason": reason == .length ? "length" : "stop",
            "total_duration": nanoseconds(usage.total), "load_duration": 0,
            "prompt_eval_count": .number(Double(usage.promptTokens)),
            "prompt_eval_duration": nanoseconds(usage.firstToken),
            "eval_count": .number(Double(usage.completionTokens)),
            "eval_duration": nanoseconds(usage.total - usage.firstToken),
        ]
        members.merge(usage.ownMembers) { own, _ in own }
        return members
    }
}
