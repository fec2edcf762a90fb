public import Mneme
public import MnemeEngine

/// The language model that runs here, held to the schema token by token.
public struct EngineOracle: Oracle {
    private let model: LanguageModel, engine: Engine
    /// The model's name.
    public var name: String { model.name }

    /// A model and the engine that runs it.
    public init(_ model: LanguageModel, _ engine: Engine) {
        (self.model, self.engine) = (model, engine)
    }

    /// Generates an answer that fits the question's schema; it has 300 seconds.
    ///
    /// - Throws: errors of the engine and of the schema.
    public func answer(_ question: OracleQuestion) async throws -> String {
        var request = GenerationRequest(
            prompt: try model.tokens(of: [
                ChatMessage(role: "system", content: question.instructions),
                ChatMessage(role: "user", content: question.text),
            ]))
        request.schema = try JSONSchema(question.schema)
        request.maxTokens = question.maxTokens
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
