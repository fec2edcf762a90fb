import Mneme
import MnemeEngine

/// A request to `/v1/completions`, read.
struct CompletionCall: Sendable {
    /// Prompts, each continued by itself.
    let prompts: [CompletionFields.Prompt]
    /// Answers to each.
    let answers: Int
    /// True if answers begin with their prompts.
    let echoes: Bool
    /// The way in which answers are sent.
    let delivery: AnswerDelivery
    /// The parameters of generation; their prompts are still to come.
    let generation: GenerationRequest

    /// The default of OpenAI's API.
    private static let standardLength = 16

    /// Reads the whole request.
    ///
    /// - Parameter body: the request as it was sent.
    /// - Throws: `InputError`.
    init(_ request: JSONFields, body: String) throws {
        delivery = try AnswerDelivery(request)
        prompts = try CompletionFields.prompt.require(request)
        answers = try GenerationFields.answers.read(request) ?? 1
        guard prompts.count * answers <= CompletionFields.maximumAnswers else {
            throw InputError(
                "\(prompts.count) prompts with \(answers) answers each are too many: \(CompletionFields.maximumAnswers) answers are given at once."
            )
        }
        echoes = try CompletionFields.echo.read(request) ?? false
        for field in CompletionFields.plain { _ = try field.read(request) }
        var generation = try GenerationFields.generation(request, body: body)
        generation.maxTokens = generation.maxTokens ?? Self.standardLength
        generation.alternatives = try CompletionFields.logprobs.read(request)
        self.generation = generation
    }
}

/// The fields of a request to completions besides ``GenerationFields``.
enum CompletionFields {
    /// Prompts to continue.
    enum Prompt {
        /// A text; names of special tokens in it stay text.
        case text(String)
        /// Ids of the served model's own tokens.
        case tokens([Int32])

        /// The text; nil for token ids.
        var text: String? { if case .text(let text) = self { text } else { nil } }
    }

    /// The number of alternatives told with each token's log-probability; none are told if it is
    /// left out.
    static let logprobs = RequestField<Int>("logprobs", in: 0...20)

    /// True if an answer begins with its prompt, and its log-probabilities with the prompt's.
    static let echo = RequestField<Bool>("echo")
    /// The most answers of one request.
    static let maximumAnswers = 128

    /// A text, token ids, or a list of either.
    static let prompt = RequestField<[Prompt]>(
        "prompt",
        schema: [
            "oneOf": [
                ["type": "string"],
                [
                    "type": "array", "minItems": 1,
                    "items": [
                        "oneOf": [
                            ["type": "string"], ["type": "integer"],
                            ["type": "array", "items": ["type": "integer"]],
                        ]
                    ],
                ],
            ]
        ],
        required: true
    ) { request, name in
        guard let value = request[name] else { return nil }
        if let text = value.string { return [.text(text)] }
        if let tokens = tokens(value) { return [.tokens(tokens)] }
        let prompts = (value.array ?? []).compactMap { item in
            item.string.map { Prompt.text($0) } ?? tokens(item).map { .tokens($0) }
        }
        guard !prompts.isEmpty, prompts.count == value.array?.count else {
            throw InputError("'\(name)' must be a text, a list of token ids, or a list of such.")
        }
        return prompts
    }

    /// Token ids; nil for anything else, and for none.
    private static func tokens(_ value: JSONValue) -> [Int32]? {
        guard let ids = value.array, !ids.isEmpty else { return nil }
        let tokens = ids.compactMap { $0.int.flatMap { Int32(exactly: $0) } }
        return tokens.count == ids.count ? tokens : nil
    }

    /// Fields of OpenAI's API that this server takes with the value that asks for nothing.
    static let plain = ([("best_of", 1), ("suffix", "")] as [(String, JSONValue)]).map {
        RequestField($0, only: $1, otherwise: "'\($0)' is not done for completions.")
    }

    /// Every field, as the OpenAPI document lists them.
    static let all: [any AnyRequestField] = [prompt, logprobs, echo] + GenerationFields.all + plain
}
