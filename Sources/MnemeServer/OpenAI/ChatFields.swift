import Mneme
import MnemeEngine

/// A request to `/v1/chat/completions`, read.
struct ChatCall: Sendable {
    /// The conversation so far.
    let messages: [ChatMessage]
    /// The functions that the model may call; nil if there are none.
    let tools: ToolSet?
    /// The memory that goes with the answer; nil if none was asked for.
    let memory: MemoryOptions?
    /// Answers to the conversation.
    let answers: Int
    /// The way in which the answer is sent.
    let delivery: AnswerDelivery
    /// True if the oldest turns are left out where all do not fit.
    let dropsOldest: Bool
    /// The parameters of generation; its prompt is still to come.
    let generation: GenerationRequest

    /// Reads the whole request.
    ///
    /// - Parameter body: the request as it was sent.
    /// - Throws: `InputError`.
    init(_ request: JSONFields, body: String) throws {
        delivery = try AnswerDelivery(request)
        guard let messages = try ChatFields.messages.read(request) else {
            throw InputError("'messages' is missing: a list of messages.")
        }
        self.messages = messages
        tools = try ToolFields.set(request, body: body)
        memory = try ChatFields.memory.read(request)
        answers = try GenerationFields.answers.read(request) ?? 1
        dropsOldest = try ChatFields.truncation.read(request) == .auto
        var generation = try GenerationFields.generation(request, body: body)
        let alternatives = try ChatFields.topLogprobs.read(request)
        if try ChatFields.logprobs.read(request) ?? false {
            generation.alternatives = alternatives ?? 0
        }
        self.generation = generation
    }
}

/// The member `memory` of a request to chat: whose memories are recalled before the answer, and
/// where the turn is remembered after it.
struct MemoryOptions: Sendable {
    /// The user whose memories are meant; the caller if left out.
    var user: String?
    /// The tenant of that user.
    var tenant: String?
    /// The conversation that the turn is remembered in.
    var session: String?
    /// Memories handed to the model at most.
    var limit = 6
    /// Tokens up to which all memories are handed to it instead; 0 recalls always.
    var wholeHistory = 0
    /// Users whose memories are recalled besides.
    var also: [String] = []
    /// True if the turn is remembered.
    var remembers = true
}

/// The fields of a request to chat besides ``GenerationFields``.
enum ChatFields {
    /// True if each token's log-probability is told.
    static let logprobs = RequestField<Bool>("logprobs")
    /// What becomes of conversations that are longer than the model takes.
    enum Truncation: String, CaseIterable {
        /// The oldest turns are left out.
        case auto
        /// They are refused.
        case disabled
    }

    /// As OpenAI's Responses API has it: `auto` leaves the oldest turns out where all do not fit, and
    /// `usage.dropped_messages` tells how many messages; `disabled`, if left out, refuses them.
    static let truncation = RequestField<Truncation>(
        "truncation",
        schema: [
            "type": "string", "enum": .array(Truncation.allCases.map { .string($0.rawValue) }),
            "description": "auto leaves the oldest turns out of conversations that do not fit; else they are refused.",
        ]
    ) { request, name in
        guard let value = try request.text(name) else { return nil }
        guard let truncation = Truncation(rawValue: value) else {
            throw InputError("'\(name)' must be auto or disabled.")
        }
        return truncation
    }
    /// Alternatives told with each token, if `logprobs` is true.
    static let topLogprobs = RequestField<Int>("top_logprobs", in: 0...20)

    /// The conversation: roles, and a text or list of texts each.
    static let messages = RequestField<[ChatMessage]>(
        "messages",
        schema: [
            "type": "array", "minItems": 1,
            "items": [
                "type": "object", "required": ["role"],
                "properties": [
                    "role": ["type": "string", "enum": .array(roles.map { .string($0) })],
                    "content": [
                        "oneOf": [
                            ["type": "string"], ["type": "null"],
                            [
                                "type": "array",
                                "items": [
                                    "type": "object", "required": ["type", "text"],
                                    "properties": [
                                        "type": ["const": "text"], "text": ["type": "string"],
                                    ],
                                ],
                            ],
                        ]
                    ],
                    "tool_calls": ["type": "array", "items": ["type": "object"]],
                    "tool_call_id": ["type": "string"],
                ],
            ],
        ],
        required: true
    ) { request, name in
        guard let list = try request.list(name), !list.isEmpty else { return nil }
        return try list.map(message)
    }

    /// True, false, or an object.
    static let memory = RequestField<MemoryOptions>(
        "memory",
        schema: [
            "description": "Recall before the answer, remember after it.",
            "oneOf": [["type": "boolean"], .schema(of: Memory.all)],
        ]
    ) { request, name in
        switch request[name] {
        case nil, .bool(false): nil
        case .bool(true): MemoryOptions()
        default: try request.fields(name).map(Memory.options)
        }
    }

    /// Every field, as the OpenAPI document lists them.
    static let all: [any AnyRequestField] =
        [messages, memory, truncation, logprobs, topLogprobs] + ToolFields.all + GenerationFields.all

    /// The fields of `memory`.
    private enum Memory {
        /// The user whose memories are recalled.
        static let user = RequestField<String>("user")
        /// The user's tenant.
        static let tenant = RequestField<String>("tenant")
        /// The conversation in which the turn is remembered.
        static let session = RequestField<String>("session")
        /// Memories in the prompt at most; 6 if left out.
        static let limit = RequestField<Int>("limit", in: 1...50)
        /// Tokens of memories up to which all of them are in the prompt, instead of what is recalled; 0 if left out.
        static let wholeHistory = RequestField<Int>("whole_history", in: 0...1_000_000)
        /// Other users whose memories the caller may see.
        static let also = RequestField<[String]>("also")
        /// False recalls only; true if left out.
        static let remember = RequestField<Bool>("remember")
        /// Every field of `memory`.
        static let all: [any AnyRequestField] = [user, tenant, session, limit, wholeHistory, also, remember]

        /// The options of a request, with defaults for what it leaves out.
        static func options(_ fields: JSONFields) throws -> MemoryOptions {
            let standard = MemoryOptions()
            return MemoryOptions(
                user: try user.read(fields), tenant: try tenant.read(fields),
                session: try session.read(fields),
                limit: try limit.read(fields) ?? standard.limit,
                wholeHistory: try wholeHistory.read(fields) ?? standard.wholeHistory,
                also: try also.read(fields) ?? standard.also,
                remembers: try remember.read(fields) ?? standard.remembers)
        }
    }

    /// Roles that a message may have. `developer` is the system's newer name.
    private static let roles = ["system", "developer", "user", "assistant", "tool"]

    /// A message of the conversation.
    ///
    /// - Throws: `InputError` for roles, contents and calls that no message has.
    @Sendable private static func message(_ json: JSONValue) throws -> ChatMessage {
        guard let role = json["role"]?.string, roles.contains(role) else {
            throw InputError("A message's role must be system, developer, user, assistant or tool.")
        }
        let calls = try ToolFields.calls(of: json)
        let id = json["tool_call_id"]?.string
        guard calls.isEmpty || role == "assistant" else {
            throw InputError("Only messages of the assistant have 'tool_calls'.")
        }
        guard role != "tool" || id != nil else {
            throw InputError(
                "A message of the role 'tool' needs the 'tool_call_id' that it answers.")
        }
        // The developer's word is the system's under a newer name.
        return ChatMessage(
            role: role == "developer" ? "system" : role, content: try content(json["content"]),
            toolCalls: calls, toolCallID: id)
    }

    /// A message's text. Images and sounds are refused: no model here reads them.
    private static func content(_ json: JSONValue?) throws -> String {
        switch json {
        case .string(let text): return text
        case .array(let parts):
            return try parts.map { part in
                guard part["type"]?.string == "text", let text = part["text"]?.string else {
                    throw InputError("Only text can be read in messages.")
                }
                return text
            }.joined()
        case .null, nil: return ""
        default: throw InputError("A message's content must be a text or a list of texts.")
        }
    }
}
