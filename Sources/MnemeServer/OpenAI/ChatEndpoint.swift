import Hummingbird
import Mneme
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeStore

/// `/v1/chat/completions` as OpenAI's clients call it, with ``ChatFields/memory`` besides: then
/// what the user says is answered with memories at hand and the turn is remembered; the answer
/// names the memories used.
struct ChatEndpoint: Sendable {
    let language: ServedLanguage
    let memory: MemoryOS

    func answer(_ call: ChatCall, _ caller: Caller) async throws -> Response {
        let conversation = try await Conversation(
            language.model, language.engine,
            memory: try call.memory.map { try chatMemory($0, caller) })
        var turn = ChatTurn(call.messages)
        turn.generation = call.generation
        turn.generation.key = caller.principal.name
        turn.generation.scope = caller.principal.cacheScope
        turn.remembers = call.memory?.remembers ?? false
        let answer = try await conversation.answer(turn)
        let form = ChatAnswerForm(
            language.model, memories: call.memory == nil ? nil : answer.memories)
        guard call.delivery.streams else { return try .json(try await form.whole(answer)) }
        return .events(failed: { language.note($0, caller) }) { send in
            try await form.stream(answer, includesUsage: call.delivery.includesUsage, send)
        }
    }

    /// The memory that a request asks for.
    ///
    /// - Throws: ``MnemeStore/AccessError`` if the caller may not write to it but the turn is to be
    ///   remembered.
    private func chatMemory(_ options: MemoryOptions, _ caller: Caller) throws -> ChatMemory {
        if options.remembers {
            try memory.authorize(.write, by: caller, advice: "Set memory.remember to false.")
        }
        let principal = caller.principal
        let owner = try principal.owner(tenant: options.tenant, user: options.user)
        return ChatMemory(
            memory, scope: Scope(tenant: owner.tenant, user: owner.user, session: options.session),
            also: try options.also.map { try principal.owner(tenant: owner.tenant, user: $0) },
            by: caller,
            limit: options.limit)
    }
}

/// The form of a chat's answer.
private struct ChatAnswerForm: Sendable {
    private let envelope: AnswerEnvelope
    private let logprobs: ChatLogprobs
    /// The member that names the memories used, if memory was asked for.
    private let memories: [String: JSONValue]

    init(_ model: LanguageModel, memories: [RecalledMemory]?) {
        envelope = AnswerEnvelope("chatcmpl-", model: model)
        logprobs = ChatLogprobs(tokenizer: model.tokenizer)
        self.memories = memories.map { ["memories": .array($0.map(Self.memory))] } ?? [:]
    }

    private static func memory(_ recalled: RecalledMemory) -> JSONValue {
        [
            "id": .string(recalled.memory.id.description), "text": .string(recalled.memory.text),
            "score": .number(recalled.score),
        ]
    }

    /// The answer in one piece.
    func whole(_ answer: ChatAnswer) async throws -> JSONValue {
        var text = "", probabilities: [JSONValue]?
        for try await event in answer {
            switch event {
            case .token(let piece, let token, let probability, let alternatives):
                text += piece
                if let probability {
                    probabilities =
                        (probabilities ?? []) + [logprobs.entry(token, probability, alternatives)]
                }
            case .finished(let reason, let usage):
                var choice: [String: JSONValue] = [
                    "index": 0, "message": ["role": "assistant", "content": .string(text)],
                    "finish_reason": .string(reason.rawValue),
                ]
                if let probabilities { choice["logprobs"] = ["content": .array(probabilities)] }
                return envelope.part(
                    "chat.completion", choices: [.object(choice)],
                    with: memories.merging(["usage": usage.json]) { $1 })
            }
        }
        throw CancellationError()
    }

    /// The answer piece by piece.
    func stream(
        _ answer: ChatAnswer, includesUsage: Bool, _ send: (JSONValue) async throws -> Void
    ) async throws {
        var isFirst = true
        for try await event in answer {
            switch event {
            case .token(let text, let token, let probability, let alternatives):
                guard isFirst || !text.isEmpty || probability != nil else { continue }
                var delta: [String: JSONValue] = ["content": .string(text)]
                if isFirst { delta["role"] = "assistant" }
                isFirst = false
                var choice: [String: JSONValue] = [
                    "index": 0, "delta": .object(delta), "finish_reason": .null,
                ]
                if let probability {
                    choice["logprobs"] = [
                        "content": [logprobs.entry(token, probability, alternatives)]
                    ]
                }
                try await send(chunk([.object(choice)]))
            case .finished(let reason, let usage):
                let choice: JSONValue = [
                    "index": 0, "delta": [:], "finish_reason": .string(reason.rawValue),
                ]
                try await send(chunk([choice], with: memories))
                if includesUsage { try await send(chunk([], with: ["usage": usage.json])) }
            }
        }
    }

    private func chunk(_ choices: [JSONValue], with members: [String: JSONValue] = [:]) -> JSONValue {
        envelope.part("chat.completion.chunk", choices: choices, with: members)
    }
}
