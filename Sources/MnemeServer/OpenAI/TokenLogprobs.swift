import Mneme
import MnemeEngine
import MnemeModels

/// The log-probabilities of a chat's answer, token by token, as `/v1/chat/completions` lists them.
struct ChatLogprobs: Sendable {
    /// Tells tokens' texts and bytes.
    let tokenizer: any Tokenizer

    /// A token with those that were nearly taken.
    func entry(_ token: Int32, _ probability: Double, _ alternatives: [TokenProbability])
        -> JSONValue
    {
        var result = members(token, probability)
        result["top_logprobs"] = .array(
            alternatives.map { .object(members($0.token, $0.logProbability)) })
        return .object(result)
    }

    /// A token's text, probability and bytes. The text of half a character is not valid by itself,
    /// so clients put bytes together.
    private func members(_ token: Int32, _ probability: Double) -> [String: JSONValue] {
        [
            "token": .string(tokenizer.text(token)), "logprob": .logprob(probability),
            "bytes": .array(tokenizer.bytes(token).map { .number(Double($0)) }),
        ]
    }
}

/// The log-probabilities of a completion, as `/v1/completions` lists them.
struct CompletionLogprobs: Sendable {
    /// Texts of the tokens. This list and the next three have one entry for each token.
    private var tokens: [JSONValue] = []
    /// The tokens' log-probabilities.
    private var values: [JSONValue] = []
    /// Tokens that were nearly taken, by their texts.
    private var alternatives: [JSONValue] = []
    /// Scalars of the answer before each token.
    private var offsets: [JSONValue] = []
    private var offset: Int

    /// Empty lists.
    ///
    /// - Parameter offset: characters of the answer before the first token.
    init(offset: Int = 0) { self.offset = offset }

    /// The lists of a prompt that an answer begins with.
    init(_ prompt: some Sequence<PromptToken>, _ tokenizer: any Tokenizer) {
        self.init()
        var decoder = StreamingDecoder()
        for token in prompt {
            append(
                token.id, token.logProbability, token.alternatives,
                text: decoder.append(tokenizer.bytes(token.id)), tokenizer)
        }
        offset += decoder.finish().unicodeScalars.count
    }

    /// Adds a token.
    ///
    /// - Parameters:
    ///   - probability: nil for a prompt's first, which nothing stands before.
    ///   - others: tokens that were nearly taken.
    ///   - text: what of the answer came with it; nothing while half a character is held back.
    mutating func append(
        _ token: Int32, _ probability: Double?, _ others: [TokenProbability], text: String,
        _ tokenizer: any Tokenizer
    ) {
        tokens.append(.string(tokenizer.text(token)))
        values.append(probability.map { .logprob($0) } ?? .null)
        let pairs = others.map { (tokenizer.text($0.token), JSONValue.logprob($0.logProbability)) }
        alternatives.append(
            probability == nil ? .null : .object(Dictionary(pairs) { first, _ in first }))
        offsets.append(.number(Double(offset)))
        offset += text.unicodeScalars.count
    }

    /// The lists as a completion's choice holds them.
    var json: JSONValue {
        [
            "tokens": .array(tokens), "token_logprobs": .array(values),
            "top_logprobs": .array(alternatives),
            "text_offset": .array(offsets),
        ]
    }
}

extension JSONValue {
    /// A log-probability; JSON has no infinity.
    fileprivate static func logprob(_ value: Double) -> JSONValue { .number(max(value, -9999)) }
}

extension Tokenizer {
    /// A token as lists of probabilities show it.
    fileprivate func text(_ token: Int32) -> String {
        let bytes = bytes(token)
        return bytes.isEmpty ? name(token) ?? "" : String(decoding: bytes, as: UTF8.self)
    }
}
