import Mneme
import MnemeBase
import MnemeEngine

/// The fields of requests to Ollama's routes. What else Ollama has, such as `keep_alive`, says how a
/// model is kept loaded, which it always is here.
enum OllamaFields {
    /// False asks for one object; otherwise the answer comes in lines.
    static let stream = RequestField<Bool>("stream")
    /// True if each token's log-probability is told.
    static let logprobs = RequestField<Bool>("logprobs")
    /// Alternatives told with each token.
    static let topLogprobs = RequestField<Int>("top_logprobs", in: 0...20)
    /// The text that is answered, or continued if `raw` is true.
    static let prompt = RequestField<String>("prompt")
    /// The system message.
    static let system = RequestField<String>("system")
    /// True if the prompt is continued as it is, without the model's template.
    static let raw = RequestField<Bool>("raw")
    /// Dimensions of a vector; only the model's own number can be had.
    static let dimensions = RequestField<Int>("dimensions")

    /// The conversation. An empty one asks whether the model is loaded.
    static let messages = RequestField<[JSONValue]>(
        "messages",
        schema: [
            "type": "array",
            "items": [
                "type": "object", "required": ["role"],
                "properties": [
                    "role": ["type": "string", "enum": ["system", "user", "assistant", "tool"]],
                    "content": ["type": "string"],
                ],
            ],
        ]
    ) { try $0.list($1) }

    /// The functions that the model may call, in OpenAI's form.
    static let tools = RequestField<[JSONValue]>(
        "tools", schema: ["type": "array", "items": ["type": "object"]]
    ) { try $0.list($1) }

    /// `json`, or a JSON schema; an empty text asks for neither.
    static let format = RequestField<OllamaFormat>(
        "format", schema: ["oneOf": [["type": "string", "enum": ["", "json"]], ["type": "object"]]]
    ) { request, name in
        switch request[name] {
        case nil: return nil
        case .string(""): return OllamaFormat.text
        case .string("json"): return .json
        case .object: return .schema
        default: throw InputError("'\(name)' must be \"json\" or a JSON schema.")
        }
    }

    /// The sampling options; see ``Options``.
    static let options = RequestField<JSONFields>("options", schema: .schema(of: Options.all)) {
        try $0.fields($1)
    }

    /// The texts to embed: one, or a list.
    static let input = RequestField<[String]>(
        "input",
        schema: [
            "oneOf": [["type": "string"], ["type": "array", "items": ["type": "string"]]]
        ],
        required: true
    ) { request, name in
        guard let value = request[name] else { return nil }
        if let text = value.string { return [text] }
        guard let texts = try? request.texts(name), texts.count <= EmbeddingsFields.maximumInputs
        else {
            throw InputError(
                "'\(name)' must be a text or a list of at most \(EmbeddingsFields.maximumInputs) texts."
            )
        }
        return texts
    }

    /// Fields of Ollama's API that are refused unless they are empty.
    private static let plain: [RequestField<JSONValue>] =
        ([("suffix", ""), ("template", ""), ("context", []), ("images", [])]
        as [(String, JSONValue)]).map {
            RequestField($0, only: $1, otherwise: "'\($0)' is not done here.")
        }

    /// The fields of both routes that generate.
    private static let common: [any AnyRequestField] = [
        GenerationFields.model, stream, format, options, logprobs, topLogprobs, GenerationFields.kv,
    ]
    /// The fields of `/api/chat`.
    static let chat: [any AnyRequestField] = common + [messages, tools]
    /// The fields of `/api/generate`.
    static let generate: [any AnyRequestField] = common + [prompt, system, raw] + plain
    /// The fields of `/api/embed`.
    static let embed: [any AnyRequestField] = [GenerationFields.model, input, dimensions]
    /// The fields of `/api/embeddings`.
    static let embeddings: [any AnyRequestField] = [GenerationFields.model, prompt]

    /// Checks that a request asks for nothing that is not done here.
    ///
    /// - Throws: `InputError` if a request asks for what is not done.
    static func refuseUndone(_ request: JSONFields) throws {
        for field in plain { _ = try field.read(request) }
    }

    /// The members of `options`: https://docs.ollama.com/modelfile#valid-parameters-and-values
    enum Options {
        /// 0.8 if left out.
        static let temperature = RequestField<Double>("temperature")
        /// 40 if left out.
        static let topK = RequestField<Int>("top_k", in: 0...Int.max)
        /// 0.9 if left out.
        static let topP = RequestField<Double>("top_p")
        /// 0 if left out, which filters nothing.
        static let minP = RequestField<Double>("min_p")
        /// 1 if left out, which filters nothing.
        static let typicalP = RequestField<Double>("typical_p")
        /// 1.1 if left out, over all tokens so far.
        static let repeatPenalty = RequestField<Double>("repeat_penalty")
        /// 0 if left out.
        static let presencePenalty = RequestField<Double>("presence_penalty")
        /// 0 if left out.
        static let frequencyPenalty = RequestField<Double>("frequency_penalty")
        /// The same seed gives the same answer; random if left out.
        static let seed = RequestField<Int>("seed")
        /// -1 and -2 mean as many as fit.
        static let numPredict = RequestField<Int>("num_predict", in: -2...Int.max)
        /// Every option.
        static let all: [any AnyRequestField] = [
            temperature, topK, topP, minP, typicalP, repeatPenalty, presencePenalty,
            frequencyPenalty, seed, numPredict, GenerationFields.stop,
        ]

        /// A request to the engine with Ollama's defaults where nothing is said.
        ///
        /// - Throws: `InputError`.
        static func generation(_ options: JSONFields?) throws -> GenerationRequest {
            let options = options ?? JSONFields([:])
            var generation = GenerationFields.request()
            generation.sampling.temperature = try temperature.read(options) ?? 0.8
            generation.sampling.topK = try topK.read(options) ?? 40
            generation.sampling.topP = try topP.read(options) ?? 0.9
            generation.sampling.minP = try minP.read(options) ?? 0
            generation.sampling.typicalP = try typicalP.read(options) ?? 1
            generation.sampling.repetitionPenalty = try repeatPenalty.read(options) ?? 1.1
            generation.sampling.presencePenalty = try presencePenalty.read(options) ?? 0
            generation.sampling.frequencyPenalty = try frequencyPenalty.read(options) ?? 0
            generation.sampling.seed = try seed.read(options).map {
                UInt64(bitPattern: Int64($0))
            }
            generation.maxTokens = try numPredict.read(options).flatMap { $0 < 0 ? nil : $0 }
            generation.stop = try GenerationFields.stop.read(options) ?? []
            return generation
        }
    }
}

/// The form of an answer of Ollama's routes.
enum OllamaFormat: Sendable {
    case text
    /// Any JSON object.
    case json
    /// JSON that fits the schema in the request.
    case schema
}

/// A request to `/api/chat` or `/api/generate`, read.
struct OllamaCall: Sendable {
    /// The prompt: a conversation, or a text that is continued as it is.
    enum Prompt: Sendable {
        case messages([ChatMessage])
        case text(String)
    }

    let prompt: Prompt
    /// The tools that may be called; nil if there are none.
    let tools: ToolSet?
    /// The parameters of generation, with Ollama's defaults; its prompt is still to come.
    let generation: GenerationRequest
    /// True if the answer is sent piece by piece, as it is unless the request says otherwise.
    let streams: Bool

    /// Reads a request to `/api/chat`.
    ///
    /// - Throws: `InputError`, `EngineError`.
    init(chat request: WireRequest) throws {
        let ordered = try request.ordered()
        prompt = .messages(
            try OllamaMessages.read(
                try OllamaFields.messages.read(request.fields) ?? [],
                written: ordered["messages"] ?? .null))
        let tools = try (OllamaFields.tools.read(request.fields) ?? []).enumerated().map {
            try FunctionTool.definition(
                $1["function"] ?? .null,
                written: ordered["tools"]?[$0]?["function"] ?? .null,
                "tools[\($0)].function")
        }
        self.tools = tools.isEmpty ? nil : try ToolSet(tools)
        (generation, streams) = try Self.generation(request)
    }

    /// Reads a request to `/api/generate`: a text and a system message make a conversation, unless
    /// the text is to be continued as it is.
    ///
    /// - Throws: `InputError`, `EngineError`.
    init(generate request: WireRequest) throws {
        let fields = request.fields
        try OllamaFields.refuseUndone(fields)
        let text = try OllamaFields.prompt.read(fields) ?? ""
        let system = try OllamaFields.system.read(fields) ?? ""
        if try OllamaFields.raw.read(fields) == true, !text.isEmpty {
            prompt = .text(text)
        } else {
            let messages =
                (system.isEmpty ? [] : [ChatMessage(role: "system", content: system)])
                + [ChatMessage(role: "user", content: text)]
            prompt = .messages(text.isEmpty ? [] : messages)
        }
        tools = nil
        (generation, streams) = try Self.generation(request)
    }

    /// The part of a request that both routes share.
    private static func generation(
        _ request: WireRequest
    ) throws -> (GenerationRequest, streams: Bool) {
        let fields = request.fields
        var generation = try OllamaFields.Options.generation(try OllamaFields.options.read(fields))
        generation.kv = try GenerationFields.kv.read(fields)
        switch try OllamaFields.format.read(fields) {
        case nil, .text: break
        case .json: generation.schema = .anyObject
        case .schema:
            generation.schema = try JSONSchema(request.text, at: [OllamaFields.format.name])
        }
        let alternatives = try OllamaFields.topLogprobs.read(fields)
        if try OllamaFields.logprobs.read(fields) == true {
            generation.alternatives = alternatives ?? 0
        }
        return (generation, try OllamaFields.stream.read(fields) ?? true)
    }
}

/// Messages of Ollama's API as the messages of a chat.
enum OllamaMessages {
    /// Ollama's calls have no ids: results follow in the order of the calls, or name the tool.
    ///
    /// - Parameter written: the same messages with their members in their order.
    /// - Throws: `InputError`.
    static func read(_ messages: [JSONValue], written: OrderedJSON) throws -> [ChatMessage] {
        var calls = 0
        var open: [ToolCall] = []
        return try messages.enumerated().map { i, json in
            let path = "messages[\(i)]"
            let fields = JSONFields(json.object ?? [:], path: path)
            let role = try fields.text("role") ?? ""
            guard ["system", "user", "assistant", "tool"].contains(role) else {
                throw InputError("'\(path).role' must be system, user, assistant or tool.")
            }
            if let images = try fields.list("images"), !images.isEmpty {
                throw InputError("'\(path).images': only text can be read.")
            }
            var message = ChatMessage(role: role, content: try fields.text("content") ?? "")
            for (j, call) in try (fields.list("tool_calls") ?? []).enumerated() {
                let arguments = written[i]?["tool_calls"]?[j]?["function"]?["arguments"]
                guard let name = call["function"]?["name"]?.string, arguments?.members != nil else {
                    throw InputError(
                        "'\(path).tool_calls[\(j)]' must have a 'function' with a name and an object of arguments."
                    )
                }
                let number = String(calls)
                let id = String(repeating: "0", count: max(0, 9 - number.count)) + number
                message.toolCalls.append(
                    ToolCall(id: id, name: name, arguments: arguments?.text ?? "{}"))
                calls += 1
            }
            if !message.toolCalls.isEmpty { open = message.toolCalls }
            if role == "tool", !open.isEmpty {
                let name = try fields.text("tool_name")
                let path = open.firstIndex { $0.name == name } ?? 0
                message.toolCallID = open.remove(at: path).id
            }
            return message
        }
    }
}
