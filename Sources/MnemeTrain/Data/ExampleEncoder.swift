import Foundation
public import MnemeModels
public import MnemeText

/// Turns examples into tokens as the model reads them when it answers: prompts through its chat
/// template, texts by themselves.
public struct ExampleEncoder: Sendable {
    private let tokenizer: any Tokenizer
    /// Tokens that the template puts before and behind a user's message, up to the answer.
    package let frame: (before: [Int32], after: [Int32])?
    /// Tokens before, between and behind a system message and a user's; nil where the template takes none.
    private let systemFrame: [[Int32]]?
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
        let parts = try template.map { try Self.frame(tokenizer, $0, end, roles: ["user"]) }
        frame = parts.map { ($0[0], $0[1]) }
        systemFrame = template.flatMap { try? Self.frame(tokenizer, $0, end, roles: ["system", "user"]) }
        // Answers end as the template has turns end.
        self.end = frame?.after.first(where: tokenizer.endTokens.contains) ?? end
    }

    /// - Throws: `ModelError` if the model has no tokenizer that is read, `TemplateError`.
    public init(_ source: ModelSource, limit: Int) throws {
        try self.init(source.tokenizer(), template: source.chatTemplate, limit: limit)
    }

    /// The example's tokens: names of special tokens in it are text. Those of a procedure stand before what
    /// follows it.
    ///
    /// - Parameters:
    ///   - example: what is learned.
    ///   - procedures: the tokens of procedures, by name; none where none are learned.
    public func encode(_ example: TrainingExample, procedures: [String: [Int32]] = [:]) -> Sequence {
        let begin = tokenizer.beginToken.map { [$0] } ?? []
        var prompt: [Int32]
        var completion: [Int32]
        if example.prompt.isEmpty {
            prompt = begin
            completion = tokenizer.encode(example.completion, special: false)
        } else if let system = example.system {
            prompt = withSystem(system, example.prompt, begin)
            completion = tokenizer.encode(example.completion, special: false)
        } else if let frame {
            prompt = frame.before + tokenizer.encode(example.prompt, special: false) + frame.after
            completion = tokenizer.encode(example.completion, special: false)
        } else {
            prompt = begin + tokenizer.encode(example.prompt, special: false)
            completion = tokenizer.encode(" " + example.completion, special: false)
        }
        if !example.parts.isEmpty {
            completion = example.parts.flatMap {
                (procedures[$0.procedure] ?? []) + tokenizer.encode($0.text, special: false)
            }
        } else if let procedure = example.procedure {
            completion = (procedures[procedure] ?? []) + completion
        }
        // A long prompt gives way: something has to be learned.
        if prompt.count > limit / 2, prompt.count + completion.count > limit {
            prompt = Array(prompt.suffix(max(limit / 2, limit - completion.count)))
        }
        // What comes behind a text is not known: that it ends would be learned for all texts.
        let tokens = prompt + completion + (example.prompt.isEmpty ? [] : end.map { [$0] } ?? [])
        return Sequence(
            tokens: Array(tokens.prefix(limit)), promptTokens: max(1, prompt.count),
            group: example.group)
    }

    /// A word or a few as they stand in a text.
    func tokens(of words: String) -> [Int32] { tokenizer.encode(" " + words, special: false) }

    /// A prompt with a system message; a template that takes none has it before the user's words.
    private func withSystem(_ system: String, _ prompt: String, _ begin: [Int32]) -> [Int32] {
        func tokens(_ text: String) -> [Int32] { tokenizer.encode(text, special: false) }
        if let systemFrame {
            return systemFrame[0] + tokens(system) + systemFrame[1] + tokens(prompt) + systemFrame[2]
        }
        guard let frame else { return begin + tokens(system + "\n\n" + prompt + "\n") }
        return frame.before + tokens(system + "\n\n" + prompt) + frame.after
    }

    /// Renders messages of a mark each and cuts at the marks.
    private static func frame(
        _ tokenizer: any Tokenizer, _ text: String, _ end: Int32?, roles: [String]
    ) throws -> [[Int32]] {
        let marks = roles.map { "\u{E000}\($0)\u{E000}" }
        let names = tokenizer.specialNames
        func name(_ token: Int32?) -> String {
            names.first { token != nil && tokenizer.special($0) == token } ?? ""
        }
        var rest = try ChatTemplate(text).render([
            "messages": .list(zip(roles, marks).map { ["role": .string($0), "content": .string($1)] }),
            "add_generation_prompt": true, "bos_token": .string(name(tokenizer.beginToken)),
            "eos_token": .string(name(end)),
        ])
        var parts: [String] = []
        for mark in marks {
            let cut = rest.components(separatedBy: mark)
            guard cut.count == 2 else {
                throw TrainingError(
                    .unsupportedModel, "The model's chat template does not show a question as it is.")
            }
            parts.append(cut[0])
            rest = cut[1]
        }
        var frame = (parts + [rest]).map { tokenizer.encode($0, special: true) }
        if let begin = tokenizer.beginToken, frame[0].first != begin { frame[0].insert(begin, at: 0) }
        return frame
    }
}
