import Mneme
import MnemeEngine

/// A request to `/v1/completions`, read.
struct CompletionCall: Sendable {
    let prompt: CompletionFields.Prompt
    let delivery: AnswerDelivery
    let generation: GenerationRequest

    /// What OpenAI's API says.
    private static let standardLength = 16

    /// - Parameter body: the request as it was sent.
    /// - Throws: `InputError`.
    init(_ request: JSONFields, body: String) throws {
        delivery = try AnswerDelivery(request)
        guard let prompt = try CompletionFields.prompt.read(request) else {
            throw InputError("'prompt' is missing: a text, or a list of token ids.")
        }
        self.prompt = prompt
        for field in CompletionFields.plain { _ = try field.read(request) }
        var generation = try GenerationFields.generation(request, body: body)
        generation.maxTokens = generation.maxTokens ?? Self.standardLength
        generation.alternatives = try CompletionFields.logprobs.read(request)
        self.generation = generation
    }
}

/// The fields of a request to completions besides ``GenerationFields``.
enum CompletionFields {
    /// What is continued.
    enum Prompt {
        case text(String)
        case tokens([Int32])
    }

    static let logprobs = RequestField<Int>("logprobs", in: 0...20)

    static let prompt = RequestField<Prompt>(
        "prompt",
        schema: ["oneOf": [["type": "string"], ["type": "array", "items": ["type": "integer"]]]],
        required: true
    ) { request, name in
        guard let value = request[name] else { return nil }
        if let text = value.string { return .text(text) }
        guard let ids = value.array,
            case let tokens = ids.compactMap({ $0.int.flatMap { Int32(exactly: $0) } }),
            tokens.count == ids.count
        else { throw InputError("'\(name)' must be a text, or a list of token ids.") }
        return .tokens(tokens)
    }

    /// What OpenAI's API has and this server does not do.
    static let plain =
        ([("echo", false), ("best_of", 1), ("suffix", .null)] as [(String, JSONValue)]).map {
            RequestField($0, only: $1, otherwise: "'\($0)' is not done for completions.")
        }

    /// Every field, as the OpenAPI document lists them.
    static let all: [any AnyRequestField] = [prompt, logprobs] + GenerationFields.all + plain
}
