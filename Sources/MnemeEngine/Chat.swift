import MnemeModels

/// One message of a conversation with a model.
public struct ChatMessage: Sendable, Equatable {
    /// `system`, `user`, `assistant` or `tool`.
    public var role: String
    /// What was said.
    public var content: String

    /// All values.
    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

extension LanguageModel {
    /// A noncharacter that keeps names of special tokens in messages from being read as such.
    private static let guardScalar = Unicode.Scalar(0xFDD0 as UInt16)!

    /// The prompt's tokens, by the model's own template. Names of special tokens inside of messages stay text.
    ///
    /// - Throws: ``EngineError`` if the model has no template or the template refuses the messages.
    public func tokens(of messages: [ChatMessage]) throws -> [Int32] {
        guard let chatTemplate else {
            throw EngineError(.invalidRequest, "\(name) has no chat template; it completes text (`mneme generate`, /v1/completions).")
        }
        let values = messages.map { message -> JinjaValue in
            ["role": .string(message.role), "content": .string(guarded(message.content))]
        }
        let prompt: String
        do {
            prompt = try ChatTemplate(chatTemplate).render([
                "messages": .list(values), "add_generation_prompt": true, "bos_token": .string(tokenizer.beginToken.flatMap { tokenizer.name($0) } ?? ""),
                "eos_token": .string(tokenizer.endTokens.min().flatMap { tokenizer.name($0) } ?? ""),
            ])
        } catch let error as TemplateError { throw EngineError(.invalidRequest, error.description) }
        var ids = tokenizer.encode(prompt, special: true, dropping: Self.guardScalar)
        // Templates that write the begin token themselves must not get a second.
        if let begin = tokenizer.beginToken, ids.first != begin { ids.insert(begin, at: 0) }
        return ids
    }

    /// The text with the guard after the first scalar of each special token's name. By scalars, as tokenizers find names: a mark
    /// after a name makes another character of its end.
    private func guarded(_ text: String) -> String {
        let scalars = text.unicodeScalars.filter { $0 != Self.guardScalar }
        let source = Array(scalars), names = Dictionary(grouping: tokenizer.specialNames.map { Array($0.unicodeScalars) }.filter { !$0.isEmpty }) { $0[0] }
        var out = String.UnicodeScalarView()
        for (i, scalar) in source.enumerated() {
            out.append(scalar)
            if let names = names[scalar], names.contains(where: { source[i...].starts(with: $0) }) { out.append(Self.guardScalar) }
        }
        return String(out)
    }
}
