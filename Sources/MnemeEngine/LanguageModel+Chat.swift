import MnemeModels

extension LanguageModel {
    /// A noncharacter that keeps names of special tokens in messages from being read as such.
    private static let guardScalar = Unicode.Scalar(0xFDD0 as UInt16)!

    /// The prompt's tokens, by the model's own template. Names of special tokens inside of messages
    /// stay text. Messages of roles that the template does not take are told in those of roles that
    /// it takes.
    ///
    /// - Parameters:
    ///   - messages: the conversation, the oldest message first.
    ///   - tools: what the model may call in its answer.
    /// - Throws: ``EngineError`` if the model has no template or the template refuses the messages.
    public func tokens(of messages: [ChatMessage], tools: [ToolDefinition] = []) throws -> [Int32] {
        guard let chatForm else {
            throw EngineError(
                .invalidRequest,
                "\(name) has no chat template; it completes text (`mneme generate`, /v1/completions)."
            )
        }
        let prompt: String
        do {
            prompt = try chatForm.get().prompt(messages, tools: tools, guarded: guarded)
        } catch let error as TemplateError { throw EngineError(.invalidRequest, error.description) }
        var ids = tokenizer.encode(prompt, special: true, dropping: Self.guardScalar)
        // Templates that write the begin token themselves must not get a second.
        if let begin = tokenizer.beginToken, ids.first != begin { ids.insert(begin, at: 0) }
        return ids
    }

    /// The format of the model's tool calls: its template's, else the one that it is asked to use.
    public var toolFormat: ToolFormat { (try? chatForm?.get())?.toolFormat ?? .hermes }

    /// The tokens of the beginning of a required call, which stand at the prompt's end.
    public func tokens(ofCallPrefix tools: ToolGrammar) -> [Int32] {
        tokenizer.encode(tools.callPrefix, special: true)
    }

    /// The tokens that prompts with this system message begin with, whatever is asked.
    ///
    /// - Throws: ``EngineError`` as `tokens(of:)`.
    public func tokens(ofSystem message: String) throws -> [Int32] {
        // Of use is what stands before any question: what two prompts share.
        let prompts = try ["A", "1"].map {
            try tokens(of: [
                ChatMessage(role: "system", content: message),
                ChatMessage(role: "user", content: $0),
            ])
        }
        return zip(prompts[0], prompts[1]).prefix { $0 == $1 }.map(\.0)
    }

    /// The tokens of a prompt with texts in one of its messages that may stand in other prompts,
    /// too: their tokens do not depend on what is around them.
    ///
    /// - Parameters:
    ///   - messages: the conversation; the content of the one at `index` is not read.
    ///   - tools: those that the template tells the model of.
    ///   - index: the message, whose content is `before`, `texts` and `after` together.
    ///   - before: what its content begins with.
    ///   - texts: what stands in the middle, in order; empty ones are left out.
    ///   - after: what its content ends with.
    /// - Returns: the tokens, and where each text stands among them.
    /// - Throws: ``EngineError`` as `tokens(of:)`.
    public func tokens(
        of messages: [ChatMessage], tools: [ToolDefinition] = [], at index: Int, before: String,
        texts: [String], after: String
    ) throws
        -> (
            tokens: [Int32], texts: [Range<Int>]
        )
    {
        /// Tokens of the prompt with this content.
        func tokens(_ content: String) throws -> [Int32] {
            var messages = messages
            messages[index].content = content
            return try self.tokens(of: messages, tools: tools)
        }
        // What prompts with different words in the middle share.
        let heads = try ["A", "1"].map { try tokens(before + $0) }
        let ends = try ["A", "1"].map { try tokens($0 + after) }
        var prompt = zip(heads[0], heads[1]).prefix { $0 == $1 }.map(\.0)
        var places: [Range<Int>] = []
        for text in texts where !text.isEmpty {
            let start = prompt.count
            prompt += tokenizer.encode(text, special: false)
            if prompt.count > start { places.append(start..<prompt.count) }
        }
        return (
            prompt
                + zip(ends[0].reversed(), ends[1].reversed()).prefix { $0 == $1 }.map(\.0)
                .reversed(), places
        )
    }

    /// The text with the guard after the first scalar of each special token's name. By scalars, as
    /// tokenizers find names: a mark after a name makes another character of its end.
    private func guarded(_ text: String) -> String {
        let scalars = text.unicodeScalars.filter { $0 != Self.guardScalar }
        let source = Array(scalars)
        let names = Dictionary(
            grouping: tokenizer.specialNames.map { Array($0.unicodeScalars) }.filter {
                !$0.isEmpty
            }
        ) { $0[0] }
        var out = String.UnicodeScalarView()
        for (i, scalar) in source.enumerated() {
            out.append(scalar)
            if let names = names[scalar], names.contains(where: { source[i...].starts(with: $0) }) {
                out.append(Self.guardScalar)
            }
        }
        return String(out)
    }
}
