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
    /// The language model that answers.
    let language: ServedLanguage
    /// The memory to recall from and remember in, if the request asks for it.
    let memory: MemoryOS

    /// Answers the user's last message, as often as the request wants. Every answer is a request of
    /// its own to the engine, which runs them side by side.
    ///
    /// - Throws: `InputError`, ``MnemeStore/AccessError``, `EngineError`.
    func answer(_ call: ChatCall, _ caller: Caller) async throws -> Response {
        let conversation = try await Conversation(
            language.model, language.engine,
            memory: try call.memory.map { try chatMemory($0, caller) }, choosing: memory)
        var turn = ChatTurn(call.messages)
        (turn.tools, turn.dropsOldest) = (call.tools, call.dropsOldest)
        turn.generation = language.request(call.generation, caller)
        var answers: [ChatAnswer] = []
        for number in 0..<call.answers {
            var turn = turn
            turn.generation = turn.generation.numbered(number)
            // Of several answers the first one is remembered.
            turn.remembers = number == 0 && call.memory?.remembers ?? false
            // All run side by side in the engine, whichever is read first.
            answers.append(try await conversation.answer(turn))
        }
        let form = ChatAnswerForm(
            language.model, memories: call.memory == nil ? nil : answers.first?.memories)
        let schema = call.generation.schema
        guard call.delivery.streams else {
            return try .json(try await form.whole(answers)).noticing(schema, call.tools)
        }
        return .events(failed: { language.note($0, caller) }) { [answers] send in
            try await form.stream(answers, includesUsage: call.delivery.includesUsage, send)
        }.noticing(schema, call.tools)
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
        var chat = ChatMemory(
            memory, scope: Scope(tenant: owner.tenant, user: owner.user, session: options.session),
            also: try options.also.map { try principal.owner(tenant: owner.tenant, user: $0) },
            by: caller,
            limit: options.limit)
        chat.router.fullTokens = options.wholeHistory
        return chat
    }
}

/// The form of a chat's answer.
private struct ChatAnswerForm: Sendable {
    /// Members that all parts of the answer share.
    private let envelope: AnswerEnvelope
    /// Words the tokens' log-probabilities.
    private let logprobs: ChatLogprobs
    /// The member that names the memories used, if memory was asked for.
    private let memories: [String: JSONValue]

    init(_ model: LanguageModel, memories: [RecalledMemory]?) {
        envelope = AnswerEnvelope("chatcmpl-", model: model)
        logprobs = ChatLogprobs(tokenizer: model.tokenizer)
        self.memories = memories.map { ["memories": .array($0.map(Self.memory))] } ?? [:]
    }

    /// A memory that was recalled for the answer, with its score.
    private static func memory(_ recalled: RecalledMemory) -> JSONValue {
        [
            "id": .string(recalled.memory.id.description), "text": .string(recalled.memory.text),
            "score": .number(recalled.score),
        ]
    }

    /// The answers in one piece.
    func whole(_ answers: [ChatAnswer]) async throws -> JSONValue {
        var choices: [JSONValue] = []
        var total = GenerationUsage()
        for (index, answer) in answers.enumerated() {
            let reply = try await answer.whole()
            total.add(reply.usage, withPrompt: index == 0)
            choices.append(choice(reply, index))
        }
        return envelope.part(
            "chat.completion", choices: choices,
            with: memories.merging(["usage": total.json]) { $1 })
    }

    /// One of the answers. A message that only calls functions has no content, as OpenAI's.
    private func choice(_ reply: ChatReply, _ index: Int) -> JSONValue {
        var message: [String: JSONValue] = [
            "role": "assistant",
            "content": reply.text.isEmpty && !reply.toolCalls.isEmpty ? .null : .string(reply.text),
        ]
        if !reply.toolCalls.isEmpty {
            message["tool_calls"] = .array(
                reply.toolCalls.map { Self.call($0.id, $0.name, $0.arguments) })
        }
        var choice: [String: JSONValue] = [
            "index": .number(Double(index)), "message": .object(message),
            "finish_reason": .string(reply.reason.rawValue),
        ]
        choice["logprobs"] = probabilities(of: reply.tokens)
        return .object(choice)
    }

    /// The answers piece by piece, one behind the other.
    func stream(
        _ answers: [ChatAnswer], includesUsage: Bool, _ send: (JSONValue) async throws -> Void
    ) async throws {
        var total = GenerationUsage()
        for (index, answer) in answers.enumerated() {
            let usage = try await stream(answer, index, isLast: index == answers.count - 1, send)
            total.add(usage, withPrompt: index == 0)
        }
        if includesUsage { try await send(chunk([], with: ["usage": total.json])) }
    }

    /// One of the answers, piece by piece.
    ///
    /// - Parameter isLast: whether the memories used are told at its end.
    /// - Returns: what it cost.
    private func stream(
        _ answer: ChatAnswer, _ index: Int, isLast: Bool,
        _ send: (JSONValue) async throws -> Void
    ) async throws -> GenerationUsage {
        var isFirst = true
        var cost = GenerationUsage()
        func choice(_ delta: [String: JSONValue], _ probabilities: JSONValue? = nil) -> JSONValue {
            var delta = delta
            if isFirst { delta["role"] = "assistant" }
            isFirst = false
            var choice: [String: JSONValue] = [
                "index": .number(Double(index)), "delta": .object(delta), "finish_reason": .null,
            ]
            choice["logprobs"] = probabilities
            return .object(choice)
        }
        for try await event in answer {
            switch event {
            case .text(let text, let tokens):
                let probabilities = probabilities(of: tokens)
                guard isFirst || !text.isEmpty || probabilities != nil else { continue }
                try await send(chunk([choice(["content": .string(text)], probabilities)]))
            case .toolCall(let index, let id, let name):
                let call = Self.call(id, name, "").object ?? [:]
                let delta = call.merging(["index": .number(Double(index))]) { $1 }
                try await send(chunk([choice(["tool_calls": [.object(delta)]])]))
            case .toolArguments(let index, let text):
                let delta: JSONValue = [
                    "index": .number(Double(index)), "function": ["arguments": .string(text)],
                ]
                try await send(chunk([choice(["tool_calls": [delta]])]))
            case .finished(let reason, let usage):
                cost = usage
                let choice: JSONValue = [
                    "index": .number(Double(index)), "delta": [:],
                    "finish_reason": .string(reason.rawValue),
                ]
                try await send(chunk([choice], with: isLast ? memories : [:]))
            }
        }
        return cost
    }

    /// A call of a function; its arguments are the text of a JSON object.
    private static func call(_ id: String, _ name: String, _ arguments: String) -> JSONValue {
        [
            "id": .string(id), "type": "function",
            "function": ["name": .string(name), "arguments": .string(arguments)],
        ]
    }

    /// The probabilities of tokens; nil if the request did not ask for them.
    private func probabilities(of tokens: [SampledToken]) -> JSONValue? {
        let entries = tokens.compactMap { token in
            token.logProbability.map { logprobs.entry(token.id, $0, token.alternatives) }
        }
        return entries.isEmpty ? nil : ["content": .array(entries)]
    }

    /// A piece of the stream.
    private func chunk(_ choices: [JSONValue], with members: [String: JSONValue] = [:]) -> JSONValue {
        envelope.part("chat.completion.chunk", choices: choices, with: members)
    }
}
