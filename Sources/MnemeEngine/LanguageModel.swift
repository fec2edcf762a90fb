import Foundation
import MnemeBase
public import MnemeModels
import MnemeNumerics

/// A model, ready to answer: weights, tokenizer and chat template. Loading packs the weights once;
/// copies share them.
public struct LanguageModel: Sendable {
    /// The file's name without its ending.
    public let name: String
    /// The GGUF file, or the folder.
    public let path: String
    /// The weights.
    public let decoder: TransformerDecoder
    /// Text to tokens and back.
    public let tokenizer: any Tokenizer
    /// The Jinja template that turns messages into a prompt, if the model has one.
    public let chatTemplate: String?
    /// The template, and which messages it takes; why it cannot be read where that is so.
    let chatForm: Result<ChatForm, any Error>?

    /// Reads a GGUF file, or a folder as the hub has it.
    ///
    /// - Parameters:
    ///   - path: a GGUF file, or a folder as the hub has it.
    ///   - context: tokens to run with, if not the model's; where positions are stretched by need,
    ///     it decides how far.
    ///   - stepTokens: the most tokens of one step of the engine.
    ///   - threads: nil shares the process's pool, a thread a core.
    /// - Throws: `ModelError`.
    public init(path: String, context: Int? = nil, stepTokens: Int = 512, threads: Int? = nil)
        throws
    {
        let source = try ModelSource(path: path, context: context)
        let file = source.path as NSString
        name =
            file.pathExtension == "gguf"
            ? (file.lastPathComponent as NSString).deletingPathExtension : file.lastPathComponent
        self.path = source.path
        let tokenizer = try source.tokenizer()
        self.tokenizer = tokenizer
        chatTemplate = source.chatTemplate
        chatForm = chatTemplate.map { text in
            Result {
                try ChatForm(
                    text, begin: tokenizer.beginToken.flatMap { tokenizer.name($0) } ?? "",
                    end: tokenizer.endTokens.min().flatMap { tokenizer.name($0) } ?? "")
            }
        }
        decoder = try TransformerDecoder(
            source, context: context, stepTokens: stepTokens,
            pool: threads.map { ThreadPool(threads: $0) } ?? .shared)
        guard tokenizer.vocabularySize <= decoder.configuration.vocabularySize else {
            throw ModelError(
                .invalidFile,
                "\(path) has more tokens in its vocabulary than in its matrix. Fetch it again.")
        }
    }

    /// The tokens of a plain text, with the begin token if the model wants one.
    public func tokens(of text: String, special: Bool = false) -> [Int32] {
        (tokenizer.beginToken.map { [$0] } ?? []) + tokenizer.encode(text, special: special)
    }
}
