import Logging
import Mneme
import MnemeChat
import MnemeEngine
import MnemeStore

/// The language model that a server runs.
struct ServedLanguage: Sendable {
    /// The model, for its tokenizer and chat template.
    let model: LanguageModel
    /// The engine that runs all requests to the model.
    let engine: Engine
    /// The memory whose embedding model chooses tools.
    let memory: MemoryOS
    /// The adapter that a request names; nil for the model as it is.
    var adapter: String?
    /// Told of failures that are the server's own.
    let logger: Logger

    /// Begins the answer to messages, without memory.
    ///
    /// - Throws: as ``MnemeChat/Conversation/answer(_:)``.
    func answer(
        _ messages: [ChatMessage], tools: ToolSet? = nil, _ generation: GenerationRequest,
        _ caller: Caller
    ) async throws -> ChatAnswer {
        var turn = ChatTurn(messages)
        turn.tools = tools
        turn.generation = request(generation, caller)
        turn.remembers = false
        return try await Conversation(model, engine, choosing: memory).answer(turn)
    }

    /// A request to the engine as the caller's own: in a fair share with other callers, and with a
    /// KV cache of the caller's scope.
    func request(_ generation: GenerationRequest, _ caller: Caller) -> GenerationRequest {
        var request = generation
        request.key = caller.principal.name
        request.scope = caller.principal.cacheScope
        request.adapter = adapter
        return request
    }

    /// The error as a client is told of it that comes up after an answer began.
    func note(_ error: any Error, _ caller: Caller) -> ClientError {
        ClientError(error, log: logger, operation: caller.operation, request: caller.request)
    }
}
