import Hummingbird
import Mneme
import MnemeBase

/// `/api/embed` and `/api/embeddings` as Ollama's clients call them. Whatever the request calls it,
/// the one embedding model that is here answers.
enum OllamaEmbeddings {
    /// The vectors of texts.
    ///
    /// - Throws: `InputError`, ``UnknownModel``.
    static func embed(_ request: JSONFields, _ memory: MemoryOS) async throws -> Response {
        let texts = try OllamaFields.input.require(request)
        guard let embedder = memory.embedder else { throw UnknownModel.embedder }
        try EmbeddingsFields.require(try OllamaFields.dimensions.read(request), of: embedder)
        let clock = ContinuousClock()
        let start = clock.now
        let (vectors, tokens) = try await vectors(texts, memory)
        return try .json([
            "model": .string(embedder.identifier),
            "embeddings": .array(vectors.map(numbers)),
            "total_duration": .number(((clock.now - start) / .nanoseconds(1)).rounded()),
            "load_duration": 0, "prompt_eval_count": .number(Double(tokens)),
        ])
    }

    /// The vector of one text.
    ///
    /// - Throws: `InputError`, ``UnknownModel``.
    static func embedOne(_ request: JSONFields, _ memory: MemoryOS) async throws -> Response {
        let text = try OllamaFields.prompt.read(request) ?? ""
        guard memory.embedder != nil else { throw UnknownModel.embedder }
        let (vectors, _) = try await vectors(text.isEmpty ? [] : [text], memory)
        return try .json(["embedding": vectors.first.map(numbers) ?? []])
    }

    /// Vectors and the tokens read. No text has no vector; an empty text among others is refused.
    private static func vectors(
        _ texts: [String], _ memory: MemoryOS
    ) async throws -> ([[Float]], tokens: Int) {
        guard !texts.isEmpty else { return ([], 0) }
        guard texts.allSatisfy({ !$0.isEmpty }) else {
            throw InputError("An empty text has no vector.")
        }
        let (vectors, tokens) = try await memory.embed(texts)
        return (texts.indices.map { vectors[$0] }, tokens)
    }

    private static func numbers(_ vector: [Float]) -> JSONValue {
        .array(vector.map { .number(Double($0)) })
    }
}
