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

    /// `/v1/models`, the language model first, by its own name and the one that it was started by:
    /// a list that OpenAI's clients read, and Anthropic's.
    var list: JSONValue {
        var names = [language, embedder].compactMap { $0 }
        if let alias, language != nil, !names.contains(alias) { names.insert(alias, at: 1) }
        return [
            "object": "list", "data": .array(names.map(Self.entry)), "has_more": false,
            "first_id": names.first.map { .string($0) } ?? .null,
            "last_id": names.last.map { .string($0) } ?? .null,
        ]
    }

    /// `/v1/models/{id}`.
    ///
    /// - Throws: ``UnknownModel``.
    func entry(_ name: String) throws -> JSONValue {
        guard Self.untagged(name) == embedder || isLanguage(name) else {
            throw UnknownModel(name: name, known: language)
        }
        return Self.entry(name)
    }

    /// Checks that a request means the language model.
    ///
    /// - Throws: ``UnknownModel`` unless the language model goes by the name.
    func requireLanguage(_ name: String) throws {
        guard isLanguage(name) else { throw UnknownModel(name: name, known: language) }
    }

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
