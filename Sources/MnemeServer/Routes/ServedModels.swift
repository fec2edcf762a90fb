import Mneme
import MnemeBase

/// The models that are served, by the names that requests may use.
struct ServedModels: Sendable {
    /// The language model's own name, which is its file's.
    let language: String?
    /// The name by which the server was started with it, such as `smollm2`.
    let alias: String?
    /// The embedding model's name.
    let embedder: String?

    /// `/v1/models`, the language model first, by its own name and the one that it was started by,
    /// then with each adapter: a list that OpenAI's clients read, and Anthropic's.
    func list(adapters: [String]) -> JSONValue {
        var names = [language, embedder].compactMap { $0 }
        if let alias, language != nil, !names.contains(alias) { names.insert(alias, at: 1) }
        if let base = alias ?? language, language != nil {
            names += adapters.map { "\(base):\($0)" }
        }
        return [
            "object": "list", "data": .array(names.map(Self.entry)), "has_more": false,
            "first_id": names.first.map { .string($0) } ?? .null,
            "last_id": names.last.map { .string($0) } ?? .null,
        ]
    }

    /// `/v1/models/{id}`.
    ///
    /// - Throws: ``UnknownModel``.
    func entry(_ name: String, adapters: [String]) throws -> JSONValue {
        if isEmbedder(name) { return Self.entry(name) }
        if let adapter = try adapter(name), !adapters.contains(adapter) {
            throw UnknownModel(name: name, known: language)
        }
        return Self.entry(name)
    }

    /// The adapter in the name of the language model, as in `smollm2:work-notes`; nil if there is
    /// none in it.
    ///
    /// - Throws: ``UnknownModel`` unless the language model goes by the rest of the name.
    func adapter(_ name: String) throws -> String? {
        if isLanguage(name) { return nil }
        let base = name.split(separator: ":", omittingEmptySubsequences: false).dropLast()
            .joined(separator: ":")
        guard isLanguage(base), base.count + 1 < name.count else {
            throw UnknownModel(name: name, known: language)
        }
        return String(name.dropFirst(base.count + 1))
    }

    /// True if the embedding model goes by the name.
    func isEmbedder(_ name: String) -> Bool { Self.untagged(name) == embedder }

    /// True if the language model goes by the name, with or without Ollama's tag `:latest`.
    func isLanguage(_ name: String) -> Bool {
        language != nil && [language, alias].contains(Self.untagged(name))
    }

    /// A name without Ollama's tag, which stands for the only version that is here.
    private static func untagged(_ name: String) -> String {
        let tag = ":latest"
        return name.hasSuffix(tag) ? String(name.dropLast(tag.count)) : name
    }

    /// A model's entry. Nothing is known of its making, so that the dates are zero.
    private static func entry(_ name: String) -> JSONValue {
        [
            "id": .string(name), "object": "model", "created": 0, "owned_by": "local",
            "type": "model", "display_name": .string(name), "created_at": "1970-01-01T00:00:00Z",
        ]
    }
}

/// A request for a model that is not served.
struct UnknownModel: MnemeError {
    /// A sentence for people: what is wrong, and what to do.
    let message: String
    var errorClass: ErrorClass { .notFound }
    var errorCode: String { "model_not_found" }

    /// The error for a name, which says what the server runs.
    ///
    /// - Parameter known: the language model that is served, if any.
    init(name: String, known: String?) {
        let help =
            known.map { "This server runs '\($0)'." }
            ?? "This server runs no language model; start it with --model."
        message = "The model '\(name.prefix(80))' is not served. \(help)"
    }

    private init(_ message: String) { self.message = message }

    /// The error where vectors are asked for and no model makes them.
    static let embedder = UnknownModel(
        "This server runs without an embedding model. `mneme pull minilm` fetches one.")
}
