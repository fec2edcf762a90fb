import Foundation
import Mneme
import MnemeBase
import MnemeEngine
import MnemeModels

/// The models that are served, as Ollama's clients list and describe them.
struct OllamaModels: Sendable {
    /// Names under which models are asked for.
    private let models: ServedModels
    /// The language model, if the server runs one.
    private let language: ServedLanguage?
    /// The embedding model, if there is one.
    private let embedder: (any TextEmbedder)?

    init(_ server: MemoryServer) {
        models = server.models
        language = server.language
        embedder = server.memory.embedder
    }

    /// Every model: the language model by the name that it was started by.
    var list: [JSONValue] {
        var list: [JSONValue] = []
        if let language { list.append(.object(entry(language))) }
        if let embedder {
            list.append([
                "name": .string(embedder.identifier), "model": .string(embedder.identifier),
                "details": ["format": "safetensors", "family": "bert"],
            ])
        }
        return list
    }

    /// The language model, which stays in memory.
    var running: [JSONValue] {
        guard let language else { return [] }
        let more: [String: JSONValue] = [
            "expires_at": "9999-12-31T23:59:59Z", "size_vram": 0,
            "context_length": .number(Double(language.engine.context)),
        ]
        return [.object(entry(language).merging(more) { $1 })]
    }

    /// One model: its family, shape and template.
    ///
    /// - Parameter adapters: those that the caller may name.
    /// - Throws: ``UnknownModel``.
    func show(_ name: String, adapters: [String]) throws -> JSONValue {
        _ = try models.entry(name, adapters: adapters)
        guard let language, !models.isEmbedder(name) else {
            return [
                "details": ["format": "safetensors", "family": "bert"], "model_info": [:],
                "capabilities": ["embedding"], "parameters": "", "template": "",
            ]
        }
        let shape = language.engine.decoder.configuration
        let family = shape.architecture
        return [
            "details": details(language), "parameters": "",
            "template": .string(language.model.chatTemplate ?? ""),
            "modified_at": modified(language),
            "capabilities": language.model.chatTemplate == nil
                ? ["completion"] : ["completion", "tools"],
            "model_info": .object([
                "general.architecture": .string(family),
                "\(family).context_length": .number(Double(shape.contextLength)),
                "\(family).embedding_length": .number(Double(shape.hiddenSize)),
                "\(family).block_count": .number(Double(shape.layers)),
                "\(family).attention.head_count": .number(Double(shape.heads)),
                "\(family).attention.head_count_kv": .number(Double(shape.kvHeads)),
            ]),
        ]
    }

    /// The language model's entry in lists. The size is its file's; 0 for a folder of several.
    private func entry(_ language: ServedLanguage) -> [String: JSONValue] {
        let name = models.alias ?? language.model.name
        let size = attributes(language)?[.size] as? Int
        return [
            "name": .string(name), "model": .string(name), "modified_at": modified(language),
            "size": .number(Double(size ?? 0)), "details": details(language),
        ]
    }

    /// The model's kind. How many parameters and bits it has is not told: it is not counted
    /// here.
    private func details(_ language: ServedLanguage) -> JSONValue {
        let family = JSONValue.string(language.engine.decoder.configuration.architecture)
        return [
            "format": language.model.path.hasSuffix(".gguf") ? "gguf" : "safetensors",
            "family": family, "families": [family],
        ]
    }

    /// The time at which the file was last changed.
    private func modified(_ language: ServedLanguage) -> JSONValue {
        let date = attributes(language)?[.modificationDate] as? Date
        return .string((date ?? Date(timeIntervalSince1970: 0)).formatted(.iso8601))
    }

    /// The attributes of the model's file; nil if it is gone, which a loaded model
    /// survives.
    private func attributes(_ language: ServedLanguage) -> [FileAttributeKey: Any]? {
        try? FileManager.default.attributesOfItem(atPath: language.model.path)
    }
}
