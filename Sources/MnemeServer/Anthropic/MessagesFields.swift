import Mneme
import MnemeBase
import MnemeEngine

/// The fields of a request to `/v1/messages`. What else Anthropic's API has says how their models
/// think, cache and are billed, and changes nothing here.
enum MessagesFields {
    /// The most tokens of the answer. Required, as in Anthropic's API.
    static let maxTokens = RequestField<Int>("max_tokens", in: 1...Int.max, required: true)
    /// Texts that the answer ends before; the answer names the one that was met.
    static let stopSequences = RequestField<[String]>("stop_sequences", most: 16)

    /// The conversation, whose last message is the user's. Content is a text or blocks, see
    /// ``MessagesContent``.
    static let messages = RequestField<[JSONValue]>(
        "messages",
        schema: [
            "type": "array", "minItems": 1,
            "items": [
                "type": "object", "required": ["role", "content"],
                "properties": [
                    "role": ["type": "string", "enum": ["user", "assistant", "system"]],
                    "content": ["oneOf": [["type": "string"], ["type": "array"]]],
                ],
            ],
        ],
        required: true
    ) { request, name in
        guard let list = try request.list(name), !list.isEmpty else { return nil }
        return list
    }

    /// A text, or a list of text blocks.
    static let system = RequestField<String>(
        "system",
        schema: [
            "oneOf": [["type": "string"], ["type": "array", "items": ["type": "object"]]]
        ]
    ) { request, name in try request[name].map { try MessagesContent.text($0, name) } }

    /// The tools that the model may call: `custom` ones with an `input_schema`, and
    /// `memory_20250818`, whose schema is known.
    static let tools = RequestField<[JSONValue]>(
        "tools", schema: ["type": "array", "items": ["type": "object"]]
    ) { try $0.list($1) }

    /// The choice between text and calls: `auto`, `any`, `tool` with its name, or `none`.
    static let toolChoice = RequestField<(choice: ToolChoice, isParallel: Bool)>(
        "tool_choice",
        schema: [
            "type": "object", "required": ["type"],
            "properties": [
                "type": ["type": "string", "enum": ["auto", "any", "tool", "none"]],
                "name": ["type": "string"], "disable_parallel_tool_use": ["type": "boolean"],
            ],
        ]
    ) { request, name in
        guard let fields = try request.fields(name) else { return nil }
        let isParallel = try fields.flag("disable_parallel_tool_use") != true
        switch try fields.text("type") {
        case "auto": return (.auto, isParallel)
        case "any": return (.required, isParallel)
        case "none": return (.none, isParallel)
        case "tool":
            guard let tool = try fields.text("name") else {
                throw InputError("'\(name).name' is missing: the tool that is to be called.")
            }
            return (.named(tool), isParallel)
        default: throw InputError("'\(name).type' must be auto, any, tool or none.")
        }
    }

    /// The form of the answer: `{"format": {"type": "json_schema", "schema": …}}`.
    static let outputConfig = RequestField<Bool>(
        "output_config",
        schema: ["type": "object", "properties": ["format": ["type": "object"]]]
    ) { request, name in
        guard let format = try request.fields(name)?.fields("format") else { return nil }
        guard try format.text("type") == "json_schema", try format.fields("schema") != nil else {
            throw InputError("'\(name).format' must be of the type json_schema, with a 'schema'.")
        }
        return true
    }

    /// The fields that make the prompt.
    static let prompt: [any AnyRequestField] = [
        GenerationFields.model, messages, system, tools, toolChoice,
    ]

    /// Every field, as the OpenAPI document lists them.
    static let all: [any AnyRequestField] =
        prompt + [
            maxTokens, GenerationFields.temperature, GenerationFields.topP, GenerationFields.topK,
            stopSequences, GenerationFields.stream, outputConfig, GenerationFields.kv,
        ]
}

/// A request to `/v1/messages`, read.
struct MessagesCall: Sendable {
    /// The prompt's messages and tools.
    let prompt: MessagesPrompt
    /// The parameters of generation. Anthropic's defaults: temperature 1, no other filters.
    let generation: GenerationRequest
    /// True if the answer is sent piece by piece.
    let streams: Bool

    /// Reads the whole request.
    ///
    /// - Throws: `InputError`, `EngineError`.
    init(_ request: WireRequest) throws {
        let fields = request.fields
        prompt = try MessagesPrompt(request)
        var generation = GenerationFields.request()
        generation.maxTokens = try MessagesFields.maxTokens.require(fields)
        generation.sampling.temperature = try GenerationFields.temperature.read(fields) ?? 1
        generation.sampling.topP = try GenerationFields.topP.read(fields) ?? 1
        generation.sampling.topK = try GenerationFields.topK.read(fields) ?? 0
        generation.stop = try MessagesFields.stopSequences.read(fields) ?? []
        generation.kv = try GenerationFields.kv.read(fields)
        if try MessagesFields.outputConfig.read(fields) == true {
            generation.schema = try JSONSchema(
                request.text, at: [MessagesFields.outputConfig.name, "format", "schema"])
        }
        self.generation = generation
        streams = try GenerationFields.stream.read(fields) ?? false
    }
}

/// The prompt of a request to `/v1/messages`.
struct MessagesPrompt: Sendable {
    /// The system message, if there is one, and the conversation.
    let messages: [ChatMessage]
    /// The tools that may be called; nil if there are none.
    let tools: ToolSet?
    /// Types of tools that are left out.
    let leftOut: [String]

    /// Reads the system message, the conversation and the tools of a request.
    ///
    /// - Throws: `InputError`, `EngineError`.
    init(_ request: WireRequest) throws {
        let fields = request.fields
        let ordered = try request.ordered()
        let list = try MessagesFields.messages.require(fields)
        let written = ordered["messages"] ?? .null
        let system = try MessagesFields.system.read(fields).map {
            [ChatMessage(role: "system", content: $0)]
        }
        messages =
            try (system ?? [])
            + list.enumerated().flatMap {
                try MessagesContent.messages(
                    $1, written: written[$0] ?? .null, "messages[\($0)]")
            }
        guard messages.last?.role != "assistant" else {
            throw InputError("The last message must be the user's: no answer is continued here.")
        }
        let choice = try MessagesFields.toolChoice.read(fields)
        var definitions: [ToolDefinition] = []
        var leftOut: [String] = []
        for (i, tool) in (try MessagesFields.tools.read(fields) ?? []).enumerated() {
            let definition = try MessagesTool.definition(
                tool, written: ordered["tools"]?[i] ?? .null, "tools[\(i)]")
            if let definition {
                definitions.append(definition)
            } else {
                leftOut.append(tool["type"]?.string ?? "")
            }
        }
        self.leftOut = leftOut
        tools =
            definitions.isEmpty && (choice == nil || choice?.choice == .auto)
            ? nil
            : try ToolSet(
                definitions, choice: choice?.choice ?? .auto,
                allowsParallel: choice?.isParallel ?? true)
    }
}
