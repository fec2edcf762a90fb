import Hummingbird
import Mneme
import MnemeEngine
import MnemeStore

extension WireRoute {
    /// `/v1/chat/completions`.
    ///
    /// ```json
    /// {"model": "smollm2", "messages": [{"role": "user", "content": "What is my boat called?"}],
    ///  "memory": {"user": "tom"}}
    /// ```
    static let chat = WireRoute(
        .post, "/v1/chat/completions", .openAI, "chat",
        "An answer in a conversation (OpenAI-compatible), with `memory` if asked for.",
        permission: .read, fields: ChatFields.all, isComputed: true)
    /// `/v1/completions`.
    ///
    /// ```json
    /// {"model": "smollm2", "prompt": ["The sea", "A boat"], "n": 2, "max_tokens": 16}
    /// ```
    static let completions = WireRoute(
        .post, "/v1/completions", .openAI, "completions",
        "The continuation of a text (OpenAI-compatible).",
        permission: .read, fields: CompletionFields.all, isComputed: true)
    /// `/v1/embeddings`.
    static let embeddings = WireRoute(
        .post, "/v1/embeddings", .openAI, "embeddings", "Vectors of texts (OpenAI-compatible).",
        permission: .read, fields: EmbeddingsFields.all, isComputed: true)
    /// `/v1/models`.
    static let models = WireRoute(
        .get, "/v1/models", .openAI, "models", "The models that are served.")
    /// `/v1/models/{id}`.
    static let model = WireRoute(
        .get, "/v1/models/{id}", .openAI, "model", operation: "models",
        "One model that is served.")

    /// OpenAI's routes.
    static let openAI = [chat, completions, embeddings, models, model]
}

extension MemoryServer {
    /// OpenAI's routes, answered.
    func openAIEndpoints() -> [Endpoint] {
        [
            endpoint(.chat) { request in
                let language = try await language(for: request)
                return try await ChatEndpoint(language: language, memory: memory)
                    .answer(ChatCall(request.fields, body: request.text), request.caller)
            },
            endpoint(.completions) { request in
                let language = try await language(for: request)
                return try await CompletionsEndpoint(language: language)
                    .answer(CompletionCall(request.fields, body: request.text), request.caller)
            },
            endpoint(.embeddings) { request in
                try await EmbeddingsEndpoint.answer(request.fields, memory: memory)
            },
            endpoint(.models) { request in
                try .json(models.list(adapters: try await adapterNames(for: request.caller)))
            },
            endpoint(.model) { request in
                let adapters = try await adapterNames(for: request.caller)
                return try .json(models.entry(try request.part("id"), adapters: adapters))
            },
        ]
    }
}
