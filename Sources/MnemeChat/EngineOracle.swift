public import Mneme
public import MnemeEngine

/// The language model that runs here, held to the schema token by token.
public struct EngineOracle: Oracle {
    private let model: LanguageModel, engine: Engine
    /// The adapter that answers; nil for the model as it is.
    private let adapter: String?
    /// The model's name, and the adapter's.
    public var name: String { model.name + (adapter.map { ":" + $0 } ?? "") }

    /// A model and the engine that runs it.
    ///
    /// - Parameters:
    ///   - model: whose template and tokenizer a prompt goes through.
    ///   - engine: what runs it.
    ///   - adapter: answers in its place, such as one that has learned to extract
    ///     (``TaughtOperation``); it is in the engine's store.
    public init(_ model: LanguageModel, _ engine: Engine, adapter: String? = nil) {
        (self.model, self.engine, self.adapter) = (model, engine, adapter)
    }

    /// Generates an answer that fits the question's schema, if it has one; it has 300 seconds.
    ///
    /// - Throws: errors of the engine and of the schema.
    public func answer(_ question: OracleQuestion) async throws -> String {
        let system = question.instructions.isEmpty ? [] : [ChatMessage(role: "system", content: question.instructions)]
        var request = GenerationRequest(
            prompt: try model.tokens(of: system + [ChatMessage(role: "user", content: question.text)]))
        if !question.schema.isEmpty { request.schema = try JSONSchema(question.schema) }
        request.maxTokens = question.maxTokens
        request.adapter = adapter
        request.key = "refine"
        request.scope = "refine"
        request.sources = question.sources
        request.timeout = .seconds(300)
        var text = ""
        for try await event in try engine.generate(request) {
            if case .token(let piece, _, _, _) = event { text += piece }
        }
        return text
    }
}
