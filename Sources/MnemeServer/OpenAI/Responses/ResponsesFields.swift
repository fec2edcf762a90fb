import Mneme
import MnemeBase
import MnemeEngine

/// The fields of requests to the Responses API.
enum ResponsesFields {
    /// A system message for this response alone: a response that follows does not see it.
    static let instructions = RequestField<String>("instructions")
    /// The most tokens of the answer; as many as fit if left out. An answer that they cut off is
    /// `incomplete`.
    static let maxOutputTokens = RequestField<Int>("max_output_tokens", in: 1...Int.max)
    /// The id of a kept response that this one follows: its input and output come first in the
    /// prompt.
    static let previous = RequestField<String>("previous_response_id")
    /// True if the response is kept to be retrieved and followed; it is, where the caller may
    /// write, unless this says otherwise.
    static let store = RequestField<Bool>("store")
    /// True if one answer may hold several calls; true if left out.
    static let parallelToolCalls = RequestField<Bool>("parallel_tool_calls")
    /// Alternatives told with each token's log-probability; none are told if it is left out.
    static let topLogprobs = RequestField<Int>("top_logprobs", in: 0...20)

    /// The text or list of items that is answered.
    static let input = RequestField<[JSONValue]>(
        "input",
        schema: [
            "oneOf": [["type": "string"], ["type": "array", "items": ["type": "object"]]]
        ],
        required: true
    ) { request, name in
        guard let value = request[name] else { return nil }
        if let text = value.string {
            return [["type": "message", "role": "user", "content": .string(text)]]
        }
        guard let list = value.array else {
            throw InputError("'\(name)' must be a text or a list of items.")
        }
        return list
    }

    /// Items to begin a conversation with, or to add to it.
    static let items = RequestField<[JSONValue]>(
        "items",
        schema: ["type": "array", "maxItems": 100, "items": ["type": "object"]]
    ) { request, name in
        guard let list = try request.list(name) else { return nil }
        guard list.count <= 100, list.allSatisfy({ $0.object != nil }) else {
            throw InputError("'\(name)' must be a list of at most 100 items.")
        }
        return list
    }

    /// The id of a conversation, or an object with it.
    static let conversationID = RequestField<String>(
        "conversation",
        schema: [
            "oneOf": [
                ["type": "string"],
                ["type": "object", "properties": ["id": ["type": "string"]]],
            ]
        ]
    ) { request, name in
        if request[name]?.object != nil {
            guard let id = try request.fields(name)?.text("id") else {
                throw InputError("'\(name).id' is missing.")
            }
            return id
        }
        return try request.text(name)
    }

    /// Texts of the caller's that are kept with it.
    static let metadata = RequestField<[String: JSONValue]>(
        "metadata",
        schema: ["type": "object", "additionalProperties": ["type": "string"]]
    ) { request, name in
        guard let value = request[name] else { return nil }
        guard let members = value.object, members.count <= 16,
            members.values.allSatisfy({ $0.string?.utf8.count ?? .max <= 512 })
        else {
            throw InputError("'\(name)' must be an object of at most 16 texts of 512 bytes.")
        }
        return members
    }

    /// The form of the answer's text.
    enum Format: Sendable {
        /// Any text.
        case text
        /// Any JSON object.
        case jsonObject
        /// JSON that fits the schema in the request.
        case jsonSchema
    }

    /// The form of the answer's text, as `format`: plain, any JSON object, or one that fits a
    /// schema, to which every token is held.
    static let text = RequestField<Format>(
        "text",
        schema: [
            "type": "object",
            "properties": [
                "format": [
                    "type": "object",
                    "properties": [
                        "type": [
                            "type": "string", "enum": ["text", "json_object", "json_schema"],
                        ],
                        "schema": ["type": "object"],
                    ],
                ]
            ],
        ]
    ) { request, name in
        guard let format = try request.fields(name)?.fields("format") else { return nil }
        switch try format.text("type") {
        case "text": return Format.text
        case "json_object": return .jsonObject
        case "json_schema": return .jsonSchema
        default:
            throw InputError("'\(name).format.type' must be text, json_object or json_schema.")
        }
    }

    /// The functions that the model may call. Tools that OpenAI runs itself, such as web search,
    /// and such of other forms are left out, and named in ``ToolNotice``: nothing here would answer
    /// for them, and coding agents offer them always.
    static let tools = RequestField<[JSONValue]>(
        "tools",
        schema: [
            "type": "array",
            "items": [
                "type": "object", "required": ["type"], "properties": ["type": ["type": "string"]],
            ],
        ]
    ) { request, name in
        guard let tools = try request.list(name) else { return nil }
        for (i, tool) in tools.enumerated() where tool["type"]?.string == nil {
            throw InputError("'\(name)[\(i)]' must have a 'type'.")
        }
        return tools
    }

    /// The choice between text and calls: `auto` if left out. A named function has its name beside
    /// its type, not in an object of its own as in chat completions.
    static let toolChoice = RequestField<ToolChoice>(
        "tool_choice",
        schema: [
            "oneOf": [
                ["type": "string", "enum": ["auto", "none", "required"]],
                [
                    "type": "object",
                    "required": ["type", "name"],
                    "properties": ["type": ["const": "function"], "name": ["type": "string"]],
                ],
                [
                    "type": "object", "required": ["type", "mode", "tools"],
                    "properties": [
                        "type": ["const": "allowed_tools"],
                        "mode": ["type": "string", "enum": ["auto", "required"]],
                        "tools": ["type": "array", "minItems": 1, "items": ["type": "object"]],
                    ],
                ],
            ]
        ]
    ) { request, name in
        guard let value = request[name] else { return nil }
        switch value {
        case .string("auto"): return .auto
        case .string("none"): return ToolChoice.none
        case .string("required"): return .required
        default:
            if value["type"]?.string == "allowed_tools" {
                return try ToolFields.allowed(value, name) { $0["name"]?.string }
            }
            guard value["type"]?.string == "function", let tool = value["name"]?.string else {
                throw InputError("'\(name)' must be auto, none, required or a function's name.")
            }
            return .named(tool)
        }
    }

    /// A field of OpenAI's API that is refused if it is true.
    static let background = RequestField(
        "background", only: false, otherwise: "'background' is not done: stream the answer.")

    /// Every field of a request for a response, as the OpenAPI document lists them.
    static let all: [any AnyRequestField] = [
        GenerationFields.model, input, instructions, previous, conversationID, store, metadata,
        maxOutputTokens, GenerationFields.temperature, GenerationFields.topP, topLogprobs,
        GenerationFields.stream, text, tools, toolChoice, parallelToolCalls, background,
        GenerationFields.kv,
    ]
    /// The fields of a request for a conversation.
    static let conversation: [any AnyRequestField] = [metadata, items]
}

/// A request to `/v1/responses`, read.
struct ResponsesCall: Sendable {
    /// The items that are answered, each with an id, as they are kept and listed.
    let input: [JSONValue]
    /// The system message of this response alone.
    let instructions: String?
    /// The kept response that this one follows.
    let previous: String?
    /// The conversation that this response is added to.
    let conversation: String?
    /// True if the response is kept; nil if the request does not say.
    let store: Bool?
    /// The functions that may be called; nil if there are none.
    let tools: ToolSet?
    /// Types of tools that are left out.
    let leftOut: [String]
    /// The parameters of generation; its prompt is still to come.
    let generation: GenerationRequest
    /// True if the answer is sent piece by piece.
    let streams: Bool
    /// Members of the request that the response repeats.
    let echo: [String: JSONValue]

    /// Reads the whole request.
    ///
    /// - Throws: `InputError`, `EngineError`.
    init(_ request: WireRequest) throws {
        typealias F = ResponsesFields
        let fields = request.fields
        _ = try F.background.read(fields)
        input = try ResponseItems.named(try F.input.require(fields))
        instructions = try F.instructions.read(fields)
        previous = try F.previous.read(fields)
        conversation = try F.conversationID.read(fields)
        guard previous == nil || conversation == nil else {
            throw InputError("A response follows 'previous_response_id' or a 'conversation', not both.")
        }
        store = try F.store.read(fields)
        (tools, leftOut) = try Self.tools(request)
        var generation = GenerationFields.request()
        generation.maxTokens = try F.maxOutputTokens.read(fields)
        generation.sampling.temperature = try GenerationFields.temperature.read(fields) ?? 1
        generation.sampling.topP = try GenerationFields.topP.read(fields) ?? 1
        generation.alternatives = try F.topLogprobs.read(fields)
        generation.kv = try GenerationFields.kv.read(fields)
        switch try F.text.read(fields) {
        case nil, .text: break
        case .jsonObject: generation.schema = .anyObject
        case .jsonSchema:
            generation.schema = try JSONSchema(
                request.text, at: [F.text.name, "format", "schema"],
                strict: try fields.fields(F.text.name)?.fields("format")?.flag("strict") ?? false)
        }
        self.generation = generation
        streams = try GenerationFields.stream.read(fields) ?? false
        echo = [
            "instructions": instructions.map { .string($0) } ?? .null,
            "metadata": .object(try F.metadata.read(fields) ?? [:]),
            "parallel_tool_calls": .bool(try F.parallelToolCalls.read(fields) ?? true),
            "temperature": .number(generation.sampling.temperature),
            "top_p": .number(generation.sampling.topP),
            "max_output_tokens": generation.maxTokens.map { .number(Double($0)) } ?? .null,
            "previous_response_id": previous.map { .string($0) } ?? .null,
            "conversation": conversation.map { ["id": .string($0)] } ?? .null,
            "text": fields["text"] ?? ["format": ["type": "text"]],
            "tools": fields["tools"] ?? [], "tool_choice": fields["tool_choice"] ?? "auto",
        ]
    }

    /// The functions and their choice. The schema of a function's parameters is taken as it was
    /// written, as its members' order is the order in which the model fills them in.
    ///
    /// - Throws: `InputError`, `EngineError` for a schema or name that is none.
    private static func tools(_ request: WireRequest) throws -> (ToolSet?, leftOut: [String]) {
        let fields = request.fields
        let written = try request.ordered()["tools"] ?? .null
        let choice = try ResponsesFields.toolChoice.read(fields)
        let isParallel = try ResponsesFields.parallelToolCalls.read(fields) ?? true
        var tools: [ToolDefinition] = []
        var leftOut: [String] = []
        for (i, tool) in (try ResponsesFields.tools.read(fields) ?? []).enumerated() {
            if let type = tool["type"]?.string, type != "function" {
                leftOut.append(type)
                continue
            }
            tools.append(
                try FunctionTool.definition(tool, written: written[i] ?? .null, "tools[\(i)]"))
        }
        // Without tools, "auto" and "none" say nothing.
        if tools.isEmpty, choice == nil || choice == .auto || choice == ToolChoice.none {
            return (nil, leftOut)
        }
        return (
            try ToolSet(tools, choice: choice ?? .auto, allowsParallel: isParallel), leftOut
        )
    }
}
