import Foundation
public import MnemeModels
public import MnemeText

/// Turns examples into tokens as the model reads them when it answers: prompts through its chat
/// template, texts by themselves.
public struct ExampleEncoder: Sendable {
    private let tokenizer: any Tokenizer
    /// Tokens that the template puts before and behind a user's message, up to the answer.
    package let frame: (before: [Int32], after: [Int32])?
    private let end: Int32?
    /// Tokens of a sequence at most; the rest is cut off.
    private let limit: Int

    /// An example as tokens.
    public struct Sequence: Sendable, Equatable, Codable {
        /// Prompt and completion.
        public var tokens: [Int32]
        /// Tokens of the prompt, which are not learned.
        public var promptTokens: Int
        /// The example's group.
        public var group: String?
    }

    /// - Parameters:
    ///   - tokenizer: the model's.
    ///   - template: the model's chat template; without one, prompt and completion stand one behind
    ///     the other.
    ///   - limit: tokens of a sequence at most; the rest is cut off.
    /// - Throws: `TemplateError` if the template cannot be read or refuses a question.
    public init(_ tokenizer: any Tokenizer, template: String?, limit: Int) throws {
        self.tokenizer = tokenizer
        self.limit = limit
        let end = tokenizer.endTokens.min()
        self.end = end
        frame = try template.map { try Self.frame(tokenizer, $0, end) }
    }

    /// - Throws: `ModelError` if the model has no tokenizer that is read, `TemplateError`.
    public init(_ source: ModelSource, limit: Int) throws {
        try self.init(source.tokenizer(), template: source.chatTemplate, limit: limit)
    }

    /// The example's tokens: names of special tokens in it are text.
    public func encode(_ example: TrainingExample) -> Sequence {
        let begin = tokenizer.beginToken.map { [$0] } ?? []
        var prompt: [Int32]
        let completion: [Int32]
        if example.prompt.isEmpty {
            prompt = begin
            completion = tokenizer.encode(example.completion, special: false)
        } else if let frame {
            prompt = frame.before + tokenizer.encode(example.prompt, special: false) + frame.after
            completion = tokenizer.encode(example.completion, special: false)
        } else {
            prompt = begin + tokenizer.encode(example.prompt, special: false)
            completion = tokenizer.encode(" " + example.completion, special: false)
        }
        // A long prompt gives way: something has to be learned.
        if prompt.count > limit / 2, prompt.count + completion.count > limit {
            prompt = Array(prompt.suffix(max(limit / 2, limit - completion.count)))
        }
        let tokens = prompt + completion + (end.map { [$0] } ?? [])
        return Sequence(
            tokens: Array(tokens.prefix(limit)), promptTokens: max(1, prompt.count),
            group: example.group)
    }

    /// Renders a question of one mark and cuts at the mark.
    private static func frame(_ tokenizer: any Tokenizer, _ text: String, _ end: Int32?) throws -> (
        before: [Int32], after: [Int32]
    ) {
        let mark = "\u{E000}question\u{E000}"
        let names = tokenizer.specialNames
        func name(_ token: Int32?) -> String {
            names.first { token != nil && tokenizer.special($0) == token } ?? ""
        }
        let prompt = try ChatTemplate(text).render([
            "messages": .list([["role": "user", "content": .string(mark)]]),
            "add_generation_prompt": true, "bos_token": .string(name(tokenizer.beginToken)),
            "eos_token": .string(name(end)),
        ])
        let parts = prompt.components(separatedBy: mark)
        guard parts.count == 2 else {
            throw TrainingError(
                .unsupportedModel, "The model's chat template does not show a question as it is.")
        }
        var before = tokenizer.encode(parts[0], special: true)
        if let begin = tokenizer.beginToken, before.first != begin { before.insert(begin, at: 0) }
        return (before, tokenizer.encode(parts[1], special: true))
    }
}
