import Mneme
import MnemeEngine
import MnemeKV

/// The fields that chat and completions share: how the language model answers.
enum GenerationFields {
    /// The model's name, or what it was started by; the served one answers if it is left out.
    static let model = RequestField<String>("model")
    /// The adapter that the answer is computed with, as `mneme adapters` lists them; `model` can name
    /// it as well, as in `smollm2:work-notes`. Not in OpenAI's API.
    static let adapter = RequestField<String>("adapter")
    /// The most tokens of an answer. As many as fit if left out in chat, 16 in completions.
    static let maxTokens = RequestField<Int>("max_tokens", in: 1...Int.max)
    /// The newer name of `max_tokens`; it goes first.
    static let maxCompletionTokens = RequestField<Int>("max_completion_tokens", in: 1...Int.max)
    /// 1 if left out; 0 always takes the likeliest token.
    static let temperature = RequestField<Double>("temperature")
    /// Keeps the likeliest tokens that together reach this probability; 1 keeps all.
    static let topP = RequestField<Double>("top_p")
    /// Keeps so many of the likeliest tokens; 0 keeps all. Not in OpenAI's API.
    static let topK = RequestField<Int>("top_k", in: 0...Int.max)
    /// Keeps tokens of at least this share of the likeliest one's probability. Not in OpenAI's API.
    static let minP = RequestField<Double>("min_p")
    /// Keeps the tokens nearest to the expected surprise that together reach this probability; 1
    /// keeps all. Not in OpenAI's API.
    static let typicalP = RequestField<Double>("typical_p")
    /// Divides the scores of tokens that stood before; 1 changes nothing. Not in OpenAI's API.
    static let repetitionPenalty = RequestField<Double>("repetition_penalty")
    /// Taken from the scores of tokens that the answer holds already.
    static let presencePenalty = RequestField<Double>("presence_penalty")
    /// Taken from the scores of tokens for each time that the answer holds them.
    static let frequencyPenalty = RequestField<Double>("frequency_penalty")
    /// The same seed gives the same answer, alone or beside others; random if left out.
    static let seed = RequestField<Int>("seed")
    /// True if the answer is sent piece by piece; it is not if left out.
    static let stream = RequestField<Bool>("stream")
    /// True if a last chunk without choices tells what the request cost.
    static let includeUsage = RequestField<Bool>("include_usage")

    /// True if a stream tells at its end what it cost.
    static let streamOptions = RequestField<Bool>(
        "stream_options", schema: .schema(of: [includeUsage])
    ) {
        try $0.fields($1).flatMap { try includeUsage.read($0) }
    }

    /// Added to tokens' logits.
    static let logitBias = RequestField<[Int32: Double]>(
        "logit_bias", schema: ["type": "object", "additionalProperties": ["type": "number"]]
    ) { request, name in
        guard let biases = request[name] else { return nil }
        let wrong = InputError("'\(name)' must map token ids to numbers.")
        guard let members = biases.object else { throw wrong }
        return try members.reduce(into: [:]) { result, member in
            guard let token = Int32(member.key), let bias = member.value.double else { throw wrong }
            result[token] = bias
        }
    }

    /// Texts that the answer ends before.
    static let stop = RequestField<[String]>(
        "stop",
        schema: [
            "oneOf": [
                ["type": "string"], ["type": "array", "maxItems": 16, "items": ["type": "string"]],
            ]
        ]
    ) { request, name in
        guard let value = request[name] else { return nil }
        if let text = value.string { return [text] }
        guard let list = value.array, list.count <= 16, case let texts = list.compactMap(\.string),
            texts.count == list.count
        else { throw InputError("'\(name)' must be a text or up to 16 texts.") }
        return texts
    }

    /// The form of an answer's text.
    enum ResponseFormat: String, CaseIterable {
        /// Any text.
        case text
        /// Any JSON object.
        case jsonObject = "json_object"
        /// JSON that fits the schema in the request.
        case jsonSchema = "json_schema"
    }

    /// The form of the answer, to which every token is held. A schema stands in
    /// `json_schema.schema`.
    static let responseFormat = RequestField<ResponseFormat>(
        "response_format",
        schema: [
            "type": "object",
            "properties": [
                "type": [
                    "type": "string",
                    "enum": .array(ResponseFormat.allCases.map { .string($0.rawValue) }),
                ],
                "json_schema": [
                    "type": "object",
                    "properties": [
                        "name": ["type": "string"], "schema": ["type": "object"],
                        "strict": ["type": "boolean"],
                    ],
                    "description": .string(
                        "Keywords that cannot be kept while the answer is written are refused if "
                            + "strict, else named in the header \(SchemaNotice.header)."),
                ],
            ],
        ]
    ) { request, name in
        guard let type = try request.fields(name)?.text("type") else { return nil }
        guard let format = ResponseFormat(rawValue: type) else {
            throw InputError(
                "'\(name)' of the type '\(type.prefix(40))' is not known: text, json_object or json_schema."
            )
        }
        return format
    }

    /// Answers to one prompt.
    static let answers = RequestField<Int>("n", in: 1...16)

    /// Which keys and values the answer is given from: the same member in requests of all APIs, none of
    /// which has it by itself.
    static let kv = RequestField<KVCompression>(
        "kv",
        schema: [
            "type": "object",
            "description": .string(
                "Answer from a part of the KV cache: rows that a policy keeps behind the prompt, "
                    + "and their format. As the server does if left out."),
            "properties": [
                "policy": [
                    "type": "string", "enum": .array(KVCompression.policies.map { .string($0) }),
                ],
                "budget": [
                    "type": "number", "exclusiveMinimum": 0, "maximum": 999_999_999,
                    "description": .string(
                        "A share of the tokens up to 1, or their number above; 0.25 if left out."),
                ],
                "type": [
                    "type": "string",
                    "enum": .array(KVCompression.types.map { .string($0.rawValue) }),
                ],
            ],
        ]
    ) { request, name in
        guard let fields = try request.fields(name) else { return nil }
        var kv = KVCompression()
        kv.policy = try fields.text("policy") ?? kv.policy
        kv.budget = try fields.number("budget") ?? kv.budget
        if let type = try fields.text("type") {
            guard let codec = KVCodec(rawValue: type) else {
                throw InputError(
                    "'\(name).type' must be \(KVCompression.types.map(\.rawValue).joined(separator: ", ")).")
            }
            kv.type = codec
        }
        try kv.check()
        return kv
    }

    /// Every field, as the OpenAPI document lists them.
    static let all: [any AnyRequestField] =
        [
            model, adapter, maxTokens, maxCompletionTokens, temperature, topP, topK, minP, typicalP,
            repetitionPenalty,
            presencePenalty,
            frequencyPenalty, seed, stream, streamOptions, logitBias, stop, responseFormat,
            answers, kv,
        ]

    /// The most time for one answer: whoever waits longer has gone away.
    private static let timeout = Duration.seconds(600)

    /// A request to the engine that says nothing yet but how long it may take.
    static func request() -> GenerationRequest {
        var generation = GenerationRequest(prompt: [])
        generation.timeout = timeout
        return generation
    }

    /// A request to the engine whose prompt is still to come.
    ///
    /// - Parameter body: the request as it was sent: a schema's members keep their order.
    static func generation(_ request: JSONFields, body: String) throws -> GenerationRequest {
        var generation = Self.request()
        generation.maxTokens = try maxCompletionTokens.read(request) ?? maxTokens.read(request)
        generation.sampling = try sampling(request)
        generation.stop = try stop.read(request) ?? []
        generation.kv = try kv.read(request)
        switch try responseFormat.read(request) {
        case nil, .text: break
        case .jsonObject: generation.schema = .anyObject
        case .jsonSchema:
            generation.schema = try JSONSchema(
                body, at: [responseFormat.name, "json_schema", "schema"],
                strict: try request.fields(responseFormat.name)?.fields("json_schema")?
                    .flag("strict") ?? false)
        }
        return generation
    }

    /// Reads the sampling parameters. Values out of bounds are refused by the engine, which knows
    /// them.
    private static func sampling(_ request: JSONFields) throws -> SamplingParameters {
        var sampling = SamplingParameters()
        sampling.temperature = try temperature.read(request) ?? 1
        sampling.topP = try topP.read(request) ?? 1
        sampling.topK = try topK.read(request) ?? 0
        sampling.minP = try minP.read(request) ?? 0
        sampling.typicalP = try typicalP.read(request) ?? 1
        sampling.repetitionPenalty = try repetitionPenalty.read(request) ?? 1
        sampling.presencePenalty = try presencePenalty.read(request) ?? 0
        sampling.frequencyPenalty = try frequencyPenalty.read(request) ?? 0
        sampling.seed = try seed.read(request).map { UInt64(bitPattern: Int64($0)) }
        sampling.logitBias = try logitBias.read(request) ?? [:]
        return sampling
    }
}

/// The delivery of an answer.
struct AnswerDelivery: Sendable {
    /// Piece by piece, as server-sent events.
    let streams: Bool
    /// True if a stream tells at its end what it cost.
    let includesUsage: Bool

    /// Reads `stream` and `stream_options`.
    ///
    /// - Throws: `InputError`.
    init(_ request: JSONFields) throws {
        streams = try GenerationFields.stream.read(request) ?? false
        includesUsage = try GenerationFields.streamOptions.read(request) ?? false
    }
}

extension GenerationRequest {
    /// The request for one of several answers: with a seed, each has its own.
    func numbered(_ number: Int) -> GenerationRequest {
        var request = self
        request.sampling.seed = sampling.seed.map { $0 &+ UInt64(number) }
        return request
    }
}
