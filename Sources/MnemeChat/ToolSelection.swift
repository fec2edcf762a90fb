import Mneme
import MnemeEngine

/// The choice of a tool where one must be called, for models that are too small to make it by
/// writing a name.
struct ToolSelection: Sendable {
    let model: LanguageModel
    let engine: Engine
    /// Has the embedding model; nil if there is none.
    let memory: MemoryOS?

    /// The tool whose name and description are closest to the user's last words, by the embedding
    /// model; without one that can be loaded, the one under which the words are likeliest.
    ///
    /// - Returns: nil if the model writes the name better by itself.
    /// - Throws: as ``MnemeEngine/Engine/tool(_:among:for:adapter:)``.
    func tool(
        among tools: [ToolDefinition], for messages: [ChatMessage], adapter: String?
    ) async throws -> ToolDefinition? {
        guard let words = engine.toolWords(among: tools, for: messages) else { return nil }
        if let memory, memory.embedder != nil {
            do {
                let (vectors, _) = try await memory.embed([words.asked] + words.tools)
                return tools[Self.closest(vectors)]
            } catch is ModelError {}
        }
        return try await engine.tool(model, among: tools, for: messages, adapter: adapter)
    }

    /// The index of the vector behind the first that is closest to it, the first of equals.
    static func closest(_ vectors: Embeddings) -> Int {
        let asked = vectors[0]
        let scores = (1..<vectors.count).map { i in
            zip(asked, vectors[i]).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        }
        var best = 0
        for i in scores.indices where scores[i] > scores[best] { best = i }
        return best
    }
}
