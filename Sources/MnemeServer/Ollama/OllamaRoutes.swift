import Hummingbird
import Mneme
import MnemeChat
import MnemeEngine
import MnemeStore

extension WireRoute {
    /// `/api/chat`: https://docs.ollama.com/api/chat
    ///
    /// ```json
    /// {"model": "smollm2", "messages": [{"role": "user", "content": "Hello!"}],
    ///  "options": {"temperature": 0, "num_predict": 40}, "stream": false}
    /// ```
    static let ollamaChat = WireRoute(
        .post, "/api/chat", .ollama, "ollama_chat",
        "An answer in a conversation, as Ollama's clients ask for it.",
        permission: .read, fields: OllamaFields.chat, isComputed: true)
    /// `/api/generate`.
    ///
    /// With `raw` the prompt is continued as it is; without, it is a user's message in the model's template:
    ///
    /// ```json
    /// {"model": "smollm2", "prompt": "The capital of France is", "raw": true}
    /// ```
    static let ollamaGenerate = WireRoute(
        .post, "/api/generate", .ollama, "ollama_generate",
        "An answer to a prompt, or its continuation, as Ollama's clients ask for it.",
        permission: .read, fields: OllamaFields.generate, isComputed: true)
    /// `/api/embed`.
    static let ollamaEmbed = WireRoute(
        .post, "/api/embed", .ollama, "ollama_embed", "Vectors of texts (Ollama-compatible).",
        permission: .read, fields: OllamaFields.embed, isComputed: true)
    /// `/api/embeddings`, which `/api/embed` has followed.
    static let ollamaEmbeddings = WireRoute(
        .post, "/api/embeddings", .ollama, "ollama_embeddings",
        "The vector of one text (Ollama-compatible).",
        permission: .read, fields: OllamaFields.embeddings, isComputed: true)
    /// `/api/tags`.
    static let ollamaTags = WireRoute(
        .get, "/api/tags", .ollama, "ollama_tags", operation: "models",
        "The models that are served (Ollama-compatible).")
    /// `/api/show`.
    static let ollamaShow = WireRoute(
        .post, "/api/show", .ollama, "ollama_show", operation: "models",
        "One model that is served (Ollama-compatible).", fields: [GenerationFields.model])
    /// `/api/ps`.
    static let ollamaRunning = WireRoute(
        .get, "/api/ps", .ollama, "ollama_ps", operation: "models",
        "The models in memory (Ollama-compatible).")
    /// `/api/version`.
    static let ollamaVersion = WireRoute(
        .get, "/api/version", .ollama, "ollama_version", operation: "version",
        "This server's version (Ollama-compatible).")

    /// Ollama's routes.
    static let ollama = [
        ollamaChat, ollamaGenerate, ollamaEmbed, ollamaEmbeddings, ollamaTags, ollamaShow,
        ollamaRunning, ollamaVersion,
    ]
}

extension MemoryServer {
    /// Ollama's routes, answered.
    func ollamaEndpoints() -> [Endpoint] {
        [
            endpoint(.ollamaChat) { request in
                let language = try await language(for: request)
                let call = try OllamaCall(chat: request)
                guard case .messages(let messages) = call.prompt else { return try .json([:]) }
                let form = OllamaForm(language.model, .chat)
                // Without messages the model is only to be loaded, which it is.
                guard !messages.isEmpty else { return try .json(form.loaded) }
                let answer = try await language.answer(
                    messages, tools: call.tools, call.generation, request.caller)
                return try await respond(call, form, answer, language, request.caller)
            },
            endpoint(.ollamaGenerate) { request in
                let language = try await language(for: request)
                let call = try OllamaCall(generate: request)
                let form = OllamaForm(language.model, .generate)
                switch call.prompt {
                case .messages(let messages):
                    guard !messages.isEmpty else { return try .json(form.loaded) }
                    let answer = try await language.answer(
                        messages, call.generation, request.caller)
                    return try await respond(call, form, answer, language, request.caller)
                case .text(let text):
                    var generation = language.request(call.generation, request.caller)
                    generation.prompt = language.model.tokens(of: text)
                    let events = try language.engine.generate(generation, span: "generate")
                    let answer = events.map { event -> ChatEvent in
                        switch event {
                        case .token(let text, let id, let probability, let alternatives):
                            let token = SampledToken(
                                id: id, logProbability: probability, alternatives: alternatives)
                            return .text(text, tokens: [token])
                        case .finished(let reason, let usage): return .finished(reason, usage)
                        }
                    }
                    return try await respond(call, form, answer, language, request.caller)
                }
            },
            endpoint(.ollamaEmbed) { request in
                try await OllamaEmbeddings.embed(request.fields, memory)
            },
            endpoint(.ollamaEmbeddings) { request in
                try await OllamaEmbeddings.embedOne(request.fields, memory)
            },
            endpoint(.ollamaTags) { _ in
                try .json(["models": .array(OllamaModels(self).list)])
            },
            endpoint(.ollamaShow) { request in
                // Older clients say `name`.
                let name = try RequestField<String>("name").read(request.fields)
                let model = try GenerationFields.model.read(request.fields) ?? name
                guard let model else { throw InputError("'model' is missing.") }
                let adapters = try await adapterNames(for: request.caller)
                return try .json(OllamaModels(self).show(model, adapters: adapters))
            },
            endpoint(.ollamaRunning) { _ in
                try .json(["models": .array(OllamaModels(self).running)])
            },
            endpoint(.ollamaVersion) { _ in
                try .json(["version": .string(configuration.version)])
            },
        ]
    }

    /// Sends an answer whole or in lines, as the request wants it.
    private func respond(
        _ call: OllamaCall, _ form: OllamaForm,
        _ answer: some AsyncSequence<ChatEvent, any Error> & Sendable, _ language: ServedLanguage,
        _ caller: Caller
    ) async throws -> Response {
        let schema = call.generation.schema
        let tools = call.tools
        guard call.streams else {
            return try .json(try await form.whole(answer)).noticing(schema, tools)
        }
        return .lines(failed: { language.note($0, caller) }) { send in
            try await form.stream(answer, send)
        }.noticing(schema, tools)
    }
}
