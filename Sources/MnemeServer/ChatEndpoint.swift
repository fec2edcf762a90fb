import Foundation
import HTTPTypes
import Hummingbird
import Mneme
import MnemeEngine
import MnemeModels
import MnemeStore
import Tracing

/// `/v1/chat/completions` and `/v1/completions` as OpenAI clients call them.
///
/// Beyond OpenAI's fields: `top_k`, `min_p`, `repetition_penalty`, and for chat `memory`: true, or an object with `user`, `tenant`,
/// `session`, `limit` and `remember`. Then what the user says is answered with memories at hand and the turn is remembered;
/// the answer names the memories used.
struct ChatEndpoint: Sendable {
    let model: LanguageModel
    let engine: Engine
    let memory: MemoryOS
    let models: ServedModels

    static let chatTimeout = Duration.seconds(600)

    func chat(_ request: JSONFields, body: String, _ caller: Caller) async throws -> Response {
        let principal = caller.principal
        try checkModel(request)
        let (streams, includesUsage) = try Self.streaming(request)
        var messages = try Self.messages(request)
        var notes: (index: Int, parts: (before: String, texts: [String], after: String))?
        var chatMemory: ChatMemory?, used: [RecalledMemory] = [], profile: [MemCube] = [], remembers = false, said = ""
        if let options = try Self.memoryOptions(request) {
            guard principal.permissions.contains(.read) else {
                throw AccessError("The key lacks the permission 'read'.")
            }
            guard var last = messages.lastIndex(where: { $0.role == "user" }) else {
                throw InputError("'memory' needs a message of the user.")
            }
            guard !messages[last].content.utf8.contains(0) else {
                throw InputError("A message that is remembered must not hold a NUL character.")
            }
            remembers = try options.flag("remember") ?? true
            if remembers, !principal.permissions.contains(.write) {
                throw AccessError("The key lacks the permission 'write'; set memory.remember to false.")
            }
            let owner = try principal.owner(tenant: options.text("tenant"), user: options.text("user"))
            let limit = try options.int("limit", in: 1...50) ?? 6
            let also = try (options.texts("also") ?? []).map {
                try principal.owner(tenant: owner.tenant, user: $0)
            }
            let store = ChatMemory(
                memory, scope: Scope(tenant: owner.tenant, user: owner.user, session: try options.text("session")),
                also: also,
                by: caller, limit: limit)
            said = messages[last].content
            profile = try await store.profile()
            if !profile.isEmpty {
                let given = messages.first.flatMap { $0.role == "system" ? messages.removeFirst().content : nil }
                messages.insert(
                    ChatMessage(role: "system", content: ChatMemory.system(given, profile: profile) ?? ""), at: 0)
                if given == nil { last += 1 }
            }
            let known = Set(profile.map(\.id))
            used = try await store.recall(said).filter { !known.contains($0.memory.id) }
            chatMemory = store
            notes = (last, ChatMemory.parts(said, memories: used))
        }
        let prompt: (tokens: [Int32], texts: [Range<Int>]) =
            try notes.map { try engine.prompt(model, messages, at: $0.index, parts: $0.parts) } ?? (
                model.tokens(of: messages), []
            )
        var generation = try Self.generation(request, body: body, prompt: prompt.tokens)
        generation.texts = prompt.texts
        if try request.flag("logprobs") ?? false {
            generation.alternatives = try request.int("top_logprobs", in: 0...20) ?? 0
        }
        generation.key = principal.name
        generation.scope = Self.scope(principal)
        generation.sources = chatMemory?.sources(used, profile: profile) ?? []
        let id = "chatcmpl-" + Self.identifier(), created = Int(Date().timeIntervalSince1970),
            stream = traced(try engine.generate(generation))
        let memories: JSONValue? =
            chatMemory == nil
            ? nil
            : .array(
                used.map {
                    [
                        "id": .string($0.memory.id.description), "text": .string($0.memory.text),
                        "score": .number($0.score),
                    ]
                })
        let keep: @Sendable (String) async throws -> Void = { [chatMemory, said, remembers] answer in
            if remembers { try await chatMemory?.remember(user: said, answer: answer) }
        }
        @Sendable func envelope(_ object: String, _ choice: JSONValue) -> [String: JSONValue] {
            [
                "id": .string(id), "object": .string(object), "created": .number(Double(created)),
                "model": .string(model.name), "choices": [choice],
            ]
        }
        if streams {
            return events { writer in
                var first = true, answer = ""
                for try await event in stream {
                    switch event {
                    case .token(let text, let token, let probability, let alternatives):
                        answer += text
                        guard first || !text.isEmpty || probability != nil else { continue }
                        var delta: [String: JSONValue] = ["content": .string(text)]
                        if first { delta["role"] = "assistant" }
                        first = false
                        var choice: [String: JSONValue] = ["index": 0, "delta": .object(delta), "finish_reason": .null]
                        if let probability {
                            choice["logprobs"] = ["content": [logprob(token, probability, alternatives)]]
                        }
                        try await writer(.object(envelope("chat.completion.chunk", .object(choice))))
                    case .finished(let reason, let usage):
                        try await keep(answer)
                        var last = envelope(
                            "chat.completion.chunk",
                            ["index": 0, "delta": [:], "finish_reason": .string(reason.rawValue)])
                        if let memories { last["memories"] = memories }
                        try await writer(.object(last))
                        if includesUsage {
                            var total = envelope("chat.completion.chunk", .null)
                            total["choices"] = []
                            total["usage"] = Self.usage(usage)
                            try await writer(.object(total))
                        }
                    }
                }
            }
        }
        let (text, reason, usage, probabilities) = try await collect(stream)
        try await keep(text)
        var choice: [String: JSONValue] = [
            "index": 0, "message": ["role": "assistant", "content": .string(text)],
            "finish_reason": .string(reason.rawValue),
        ]
        if let probabilities { choice["logprobs"] = ["content": .array(probabilities)] }
        var answer = envelope("chat.completion", .object(choice))
        answer["usage"] = Self.usage(usage)
        if let memories { answer["memories"] = memories }
        return try Self.response(.object(answer))
    }

    /// The same events, with a span from now to their end.
    private func traced(_ stream: AsyncThrowingStream<GenerationEvent, any Error>) -> AsyncThrowingStream<
        GenerationEvent, any Error
    > {
        let span = startSpan("generate")
        guard span.isRecording else {
            span.end()
            return stream
        }
        return AsyncThrowingStream { continuation in
            let task = Task {
                var isFirst = true
                do {
                    for try await event in stream {
                        if isFirst {
                            span.addEvent(SpanEvent(name: "first token"))
                            isFirst = false
                        }
                        if case .finished(_, let usage) = event {
                            span.updateAttributes {
                                $0["gen_ai.usage.input_tokens"] = usage.promptTokens
                                $0["gen_ai.usage.output_tokens"] = usage.answerTokens
                                $0["mneme.cached_tokens"] = usage.cachedTokens
                            }
                        }
                        continuation.yield(event)
                    }
                    continuation.finish()
                } catch {
                    span.recordError(error)
                    continuation.finish(throwing: error)
                }
                span.end()
            }
            // Whoever does not listen any more has the engine stop, too.
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    func complete(_ request: JSONFields, body: String, _ caller: Caller) async throws -> Response {
        let principal = caller.principal
        try checkModel(request)
        let (streams, includesUsage) = try Self.streaming(request)
        let prompt: [Int32]
        switch request["prompt"] {
        case .string(let text): prompt = model.tokens(of: text)
        case .array(let ids):
            prompt = ids.compactMap { $0.int.flatMap { Int32(exactly: $0) } }
            guard prompt.count == ids.count else {
                throw InputError("'prompt' must be a text, or a list of token ids.")
            }
        default: throw InputError("'prompt' is missing: a text, or a list of token ids.")
        }
        for (name, plain) in [("echo", JSONValue.bool(false)), ("best_of", 1), ("suffix", .null)] {
            if let value = request[name], value != plain, value != .null {
                throw InputError("'\(name)' is not done for completions.")
            }
        }
        var generation = try Self.generation(request, body: body, prompt: prompt)
        generation.key = principal.name
        generation.scope = Self.scope(principal)
        if generation.maxTokens == nil { generation.maxTokens = 16 }
        generation.alternatives = try request.int("logprobs", in: 0...20)
        let id = "cmpl-" + Self.identifier(), created = Int(Date().timeIntervalSince1970),
            stream = traced(try engine.generate(generation))
        @Sendable func envelope(_ text: String, _ reason: JSONValue, _ probabilities: TextProbabilities?) -> [String:
            JSONValue]
        {
            [
                "id": .string(id), "object": "text_completion", "created": .number(Double(created)),
                "model": .string(model.name),
                "choices": [
                    [
                        "index": 0, "text": .string(text), "finish_reason": reason,
                        "logprobs": probabilities?.json ?? .null,
                    ]
                ],
            ]
        }
        if streams {
            return events { writer in
                var offset = 0
                for try await event in stream {
                    switch event {
                    case .token(let text, let token, let probability, let alternatives):
                        guard !text.isEmpty || probability != nil else { continue }
                        var part: TextProbabilities?
                        if let probability {
                            part = TextProbabilities(offset: offset)
                            part?.append(token, probability, alternatives, text: text, model.tokenizer)
                        }
                        offset += text.unicodeScalars.count
                        try await writer(.object(envelope(text, .null, part)))
                    case .finished(let reason, let usage):
                        var last = envelope("", .string(reason.rawValue), nil)
                        if includesUsage { last["usage"] = Self.usage(usage) }
                        try await writer(.object(last))
                    }
                }
            }
        }
        var text = "", probabilities: TextProbabilities?
        for try await event in stream {
            switch event {
            case .token(let piece, let token, let probability, let alternatives):
                if let probability {
                    probabilities = probabilities ?? TextProbabilities()
                    probabilities?.append(token, probability, alternatives, text: piece, model.tokenizer)
                }
                text += piece
            case .finished(let reason, let usage):
                var answer = envelope(text, .string(reason.rawValue), probabilities)
                answer["usage"] = Self.usage(usage)
                return try Self.response(.object(answer))
            }
        }
        throw CancellationError()
    }

    // MARK: Requests

    private func checkModel(_ request: JSONFields) throws {
        if let wanted = try request.text("model") { try models.requireLanguage(wanted) }
    }

    private static func streaming(_ request: JSONFields) throws -> (streams: Bool, includesUsage: Bool) {
        (try request.flag("stream") ?? false, try request.fields("stream_options")?.flag("include_usage") ?? false)
    }

    /// `memory` is true, false, or an object.
    private static func memoryOptions(_ request: JSONFields) throws -> JSONFields? {
        switch request["memory"] {
        case nil, .bool(false): nil
        case .bool(true): JSONFields([:])
        default: try request.fields("memory")
        }
    }

    private static func messages(_ request: JSONFields) throws -> [ChatMessage] {
        guard let list = try request.list("messages"), !list.isEmpty else {
            throw InputError("'messages' is missing: a list of messages.")
        }
        return try list.map { message in
            guard let role = message["role"]?.string,
                ["system", "developer", "user", "assistant", "tool"].contains(role)
            else {
                throw InputError("A message's role must be system, developer, user, assistant or tool.")
            }
            let content: String
            switch message["content"] {
            case .string(let text): content = text
            case .array(let parts):
                content = try parts.map { part in
                    guard part["type"]?.string == "text", let text = part["text"]?.string else {
                        throw InputError("Only text can be read in messages.")
                    }
                    return text
                }.joined()
            case .null, nil: content = ""
            default: throw InputError("A message's content must be a text or a list of texts.")
            }
            return ChatMessage(role: role == "developer" ? "system" : role, content: content)
        }
    }

    private static func generation(_ request: JSONFields, body: String, prompt: [Int32]) throws -> GenerationRequest {
        if let count = try request.int("n"), count != 1 {
            throw InputError("Only one answer at a time is given: 'n' must be 1.")
        }
        if let tools = try request.list("tools"), !tools.isEmpty { throw InputError("'tools' are not done yet.") }
        var generation = GenerationRequest(prompt: prompt)
        generation.maxTokens =
            try request.int("max_completion_tokens", in: 1...Int.max) ?? request.int("max_tokens", in: 1...Int.max)
        generation.timeout = chatTimeout
        switch try request.fields("response_format")?.text("type") {
        case nil, "text": break
        case "json_object": generation.schema = .anyObject
        case "json_schema":
            generation.schema = try JSONSchema(body, at: ["response_format", "json_schema", "schema"])
        case let other?:
            throw InputError(
                "'response_format' of the type '\(other.prefix(40))' is not known: text, json_object or json_schema.")
        }
        generation.sampling.temperature = try request.number("temperature") ?? 1
        generation.sampling.topP = try request.number("top_p") ?? 1
        generation.sampling.topK = try request.int("top_k", in: 0...Int.max) ?? 0
        generation.sampling.minP = try request.number("min_p") ?? 0
        generation.sampling.repetitionPenalty = try request.number("repetition_penalty") ?? 1
        generation.sampling.presencePenalty = try request.number("presence_penalty") ?? 0
        generation.sampling.frequencyPenalty = try request.number("frequency_penalty") ?? 0
        generation.sampling.seed = try request.int("seed").map { UInt64(bitPattern: Int64($0)) }
        if let biases = request["logit_bias"] {
            guard let members = biases.object else { throw InputError("'logit_bias' must map token ids to numbers.") }
            for (token, bias) in members {
                guard let token = Int32(token), let bias = bias.double else {
                    throw InputError("'logit_bias' must map token ids to numbers.")
                }
                generation.sampling.logitBias[token] = bias
            }
        }
        switch request["stop"] {
        case .string(let text): generation.stop = [text]
        case .array(let list):
            generation.stop = list.compactMap(\.string)
            guard generation.stop.count == list.count, list.count <= 16 else {
                throw InputError("'stop' must be a text or up to 16 texts.")
            }
        case .null, nil: break
        default: throw InputError("'stop' must be a text or up to 16 texts.")
        }
        return generation
    }

    // MARK: Answers

    private func collect(_ stream: AsyncThrowingStream<GenerationEvent, any Error>) async throws -> (
        String, FinishReason, GenerationUsage, [JSONValue]?
    ) {
        var text = "", probabilities: [JSONValue]?
        for try await event in stream {
            switch event {
            case .token(let piece, let token, let probability, let alternatives):
                text += piece
                if let probability {
                    probabilities = (probabilities ?? []) + [logprob(token, probability, alternatives)]
                }
            case .finished(let reason, let usage): return (text, reason, usage, probabilities)
            }
        }
        throw CancellationError()
    }

    private func logprob(_ token: Int32, _ probability: Double, _ alternatives: [TokenProbability]) -> JSONValue {
        func entry(_ token: Int32, _ probability: Double) -> [String: JSONValue] {
            let bytes = model.tokenizer.bytes(token)
            return [
                "token": .string(model.tokenizer.text(token)),
                "logprob": .number(max(probability, -9999)), "bytes": .array(bytes.map { .number(Double($0)) }),
            ]
        }
        var result = entry(token, probability)
        result["top_logprobs"] = .array(alternatives.map { .object(entry($0.token, $0.logProbability)) })
        return .object(result)
    }

    /// A key that reaches one owner alone shares no computed keys and values with others: the time of an answer would tell what they asked.
    static func scope(_ principal: Principal) -> String {
        principal.reachesAll
            ? ""
            : "\(principal.tenant ?? "")/\(principal.user ?? "")/\(principal.agent ?? "")/\(principal.clearance.name)"
    }

    private static func usage(_ usage: GenerationUsage) -> JSONValue {
        [
            "prompt_tokens": .number(Double(usage.promptTokens)),
            "completion_tokens": .number(Double(usage.answerTokens)),
            "total_tokens": .number(Double(usage.promptTokens + usage.answerTokens)),
            "prompt_tokens_details": ["cached_tokens": .number(Double(usage.cachedTokens))],
        ]
    }

    /// Server-sent events; an error that comes up late is the last event.
    private func events(_ body: @escaping @Sendable (@escaping (JSONValue) async throws -> Void) async throws -> Void)
        -> Response
    {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                nonisolated(unsafe) var output = writer
                func send(_ value: JSONValue) async throws {
                    try await output.write(ByteBuffer(string: "data: \(try OperationTable.encode(value))\n\n"))
                }
                do {
                    try await body(send)
                    try await output.write(ByteBuffer(string: "data: [DONE]\n\n"))
                } catch { try await send(ClientError(error).json) }
                try await output.finish(nil)
            })
    }

    private static func response(_ value: JSONValue) throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: try OperationTable.encode(value))))
    }

    private static func identifier() -> String { CubeID().description.replacing("-", with: "") }
}

/// The log-probabilities of a completion, as `/v1/completions` lists them.
private struct TextProbabilities: Sendable {
    private var tokens: [JSONValue] = [], values: [JSONValue] = [], alternatives: [JSONValue] = [],
        offsets: [JSONValue] = []
    private var offset: Int

    init(offset: Int = 0) { self.offset = offset }

    mutating func append(
        _ token: Int32, _ probability: Double, _ others: [TokenProbability], text: String, _ tokenizer: any Tokenizer
    ) {
        tokens.append(.string(tokenizer.text(token)))
        values.append(.number(max(probability, -9999)))
        let pairs = others.map { (tokenizer.text($0.token), JSONValue.number(max($0.logProbability, -9999))) }
        alternatives.append(.object(Dictionary(pairs) { first, _ in first }))
        offsets.append(.number(Double(offset)))
        offset += text.unicodeScalars.count
    }

    var json: JSONValue {
        [
            "tokens": .array(tokens), "token_logprobs": .array(values), "top_logprobs": .array(alternatives),
            "text_offset": .array(offsets),
        ]
    }
}

extension Tokenizer {
    /// A token as lists of probabilities show it.
    fileprivate func text(_ token: Int32) -> String {
        let bytes = bytes(token)
        return bytes.isEmpty ? name(token) ?? "" : String(decoding: bytes, as: UTF8.self)
    }
}
