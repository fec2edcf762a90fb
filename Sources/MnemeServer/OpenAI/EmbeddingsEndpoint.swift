import Foundation
import Hummingbird
import Mneme
import MnemeBase
import MnemeModels

/// The fields of a request to `/v1/embeddings`.
enum EmbeddingsFields {
    /// Texts of one request at most, as OpenAI has it.
    static let maximumInputs = 2048

    /// The form in which a vector is sent.
    enum Encoding: String, CaseIterable {
        /// A list of numbers.
        case float
        /// The bytes of its 32-bit floats.
        case base64
    }

    /// Taken and not compared: the one embedding model that is here answers.
    static let model = RequestField<String>("model")
    /// Only the model's own number of dimensions can be had: its vectors are not made to be cut.
    static let dimensions = RequestField<Int>("dimensions")

    /// The input of a request.
    enum Input {
        /// Texts as they are.
        case texts([String])
        /// Texts as ids of the served model's own tokens, those around a text among them.
        case tokens([[Int32]])
    }

    private static let ids: JSONValue = [
        "type": "array", "minItems": 1, "items": ["type": "integer"],
    ]

    /// The texts to embed: one, or a list, each as text or as ids of the served model's tokens.
    static let input = RequestField<Input>(
        "input",
        schema: [
            "anyOf": [
                ["type": "string", "minLength": 1], ids,
                [
                    "type": "array", "minItems": 1, "maxItems": .number(Double(maximumInputs)),
                    "items": ["type": "string", "minLength": 1],
                ],
                [
                    "type": "array", "minItems": 1, "maxItems": .number(Double(maximumInputs)),
                    "items": ids,
                ],
            ]
        ],
        required: true
    ) { request, name in
        guard let value = request[name] else { return nil }
        if let text = value.string { return .texts(try checked([text], name)) }
        if let text = tokens(value) { return .tokens(try checked([text], name)) }
        let list = value.array ?? []
        let texts = list.compactMap(\.string)
        if texts.count == list.count { return .texts(try checked(texts, name)) }
        let tokenTexts = list.compactMap(tokens)
        if tokenTexts.count == list.count { return .tokens(try checked(tokenTexts, name)) }
        throw InputError("'\(name)' must be a text, a list of token ids, or a list of either.")
    }

    /// The texts of a request.
    ///
    /// - Throws: `InputError` if they are none or too many, or one is empty.
    private static func checked<Text: Collection>(
        _ texts: [Text], _ name: String
    ) throws -> [Text] {
        guard (1...maximumInputs).contains(texts.count) else {
            throw InputError("'\(name)' must hold 1 to \(maximumInputs) texts.")
        }
        guard texts.allSatisfy({ !$0.isEmpty }) else {
            throw InputError("'\(name)' must not hold an empty text.")
        }
        return texts
    }

    /// Token ids; nil for anything else, and for none.
    private static func tokens(_ value: JSONValue) -> [Int32]? {
        guard let ids = value.array, !ids.isEmpty else { return nil }
        let tokens = ids.compactMap { $0.int.flatMap { Int32(exactly: $0) } }
        return tokens.count == ids.count ? tokens : nil
    }

    /// The form of vectors: numbers, or base64 of 32-bit floats, little-endian, as OpenAI's
    /// Python client asks for.
    static let encoding = RequestField<Encoding>(
        "encoding_format",
        schema: ["type": "string", "enum": .array(Encoding.allCases.map { .string($0.rawValue) })]
    ) { request, name in
        guard let text = try request.text(name) else { return nil }
        guard let encoding = Encoding(rawValue: text) else {
            throw InputError("'\(name)' must be float or base64.")
        }
        return encoding
    }

    /// Every field, as the OpenAPI document lists them.
    static let all: [any AnyRequestField] = [input, model, encoding, dimensions]

    /// Checks the wanted number of dimensions.
    ///
    /// - Throws: `InputError` if a request wants another number of dimensions than vectors have.
    static func require(_ dimensions: Int?, of embedder: any TextEmbedder) throws {
        if let dimensions, dimensions != embedder.dimension {
            throw InputError(
                "The model \(embedder.identifier) has \(embedder.dimension) dimensions; another number cannot be had."
            )
        }
    }
}

/// `/v1/embeddings` as OpenAI's clients call it.
enum EmbeddingsEndpoint {
    /// The vectors of a request's texts, in their order, each of unit length.
    ///
    /// - Throws: `InputError`, ``UnknownModel``.
    static func answer(_ request: JSONFields, memory: MemoryOS) async throws -> Response {
        guard let embedder = memory.embedder else { throw UnknownModel.embedder }
        guard let input = try EmbeddingsFields.input.read(request) else {
            throw InputError("'input' is missing: a text or a list of texts.")
        }
        // Whatever it is called, the one model that is here answers.
        _ = try EmbeddingsFields.model.read(request)
        try EmbeddingsFields.require(try EmbeddingsFields.dimensions.read(request), of: embedder)
        let encoding = try EmbeddingsFields.encoding.read(request) ?? .float
        let (vectors, tokens) =
            switch input {
            case .texts(let texts): try await memory.embed(texts)
            case .tokens(let tokens): try await memory.embed(tokens: tokens)
            }
        let data = (0..<vectors.count).map { i -> JSONValue in
            [
                "object": "embedding", "index": .number(Double(i)),
                "embedding": json(vectors[i], encoding),
            ]
        }
        return try .json([
            "object": "list", "data": .array(data), "model": .string(embedder.identifier),
            "usage": [
                "prompt_tokens": .number(Double(tokens)), "total_tokens": .number(Double(tokens)),
            ],
        ])
    }

    /// A vector in the form that was asked for.
    private static func json(_ vector: [Float], _ encoding: EmbeddingsFields.Encoding) -> JSONValue {
        switch encoding {
        case .float: .array(vector.map { .number(Double($0)) })
        case .base64: .string(vector.withUnsafeBytes { Data($0) }.base64EncodedString())
        }
    }
}
