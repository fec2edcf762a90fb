import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeHub
import MnemeKV
import MnemeModels
import MnemeStore

/// Places on this machine, and what is opened there. All of it is in one folder, `$MNEME_HOME`, or
/// `~/.mneme`.
///
/// Commands never build a path themselves: store, keys, models and KV cache are found here, so that
/// `$MNEME_HOME` moves all of them at once.
enum Home {
    /// The folder of everything.
    static var folder: String {
        HomeFolder.path
    }
    /// The store that commands use without `--store`.
    static var store: String { folder + "/memory.db" }
    /// Keys of the HTTP interface.
    static var keys: String { folder + "/keys.json" }

    /// Takes from others what they could do with a folder that an earlier version made, if it is
    /// this user's.
    ///
    /// Only a folder that holds a store or a signing key is taken for Mneme's; the home folder
    /// itself is never changed. Failures are passed over: the commands report what they cannot
    /// open.
    static func makePrivate() {
        // The user's own folder is for other things, too.
        let isOwn = ["/audit.key", "/memory.db"].contains {
            FileManager.default.fileExists(atPath: folder + $0)
        }
        guard isOwn, URL(fileURLWithPath: folder).standardizedFileURL.path != NSHomeDirectory()
        else { return }
        Privacy.tighten(folder)
    }

    /// The memories of a store, with what belongs to them on this machine: the keys of
    /// packages, and the KV blocks in ``kv`` and ``adapters``, so that erasing reaches them, on a server that machines share, too.
    ///
    /// - Parameters:
    ///   - path: the store's file or URL; indexes are in ``indexFolder(of:in:)``.
    ///   - embedder: makes the vectors; without one recall goes by words, and vectors come later.
    ///   - recipe: how memory works.
    static func memory(
        _ path: String, embedder: (any TextEmbedder)?, recipe: Recipe = .standard
    ) throws -> MemoryOS {
        try memory(memoryStore(path), path, embedder: embedder, recipe: recipe)
    }

    /// As ``memory(_:embedder:recipe:)``, of a store that is open.
    ///
    /// - Parameters:
    ///   - former: the embedder before, whose vectors serve until they are made anew.
    ///   - indexes: the folder of index files, see ``indexFolder(of:in:)``.
    static func memory(
        _ store: any MemoryStore, _ path: String, embedder: (any TextEmbedder)?,
        former: (any TextEmbedder)? = nil, recipe: Recipe = .standard, indexes: String? = nil
    ) throws -> MemoryOS {
        let folder = try indexFolder(of: path, in: indexes)
        moveIndexes(of: path, to: folder)
        let memory = MemoryOS(
            store: store, embedder: embedder, formerEmbedder: former, indexFolder: folder, recipe: recipe)
        memory.attach(keys: packageKeys)
        if FileManager.default.fileExists(atPath: kv) {
            memory.attach(FolderMemory(try kvFolder()))
        }
        for tier in try remoteTiers() { memory.attach(tier) }
        memory.attach(AdapterMemory(adapters))
        memory.attach(AdapterMemory(trainedEmbedders))
        return memory
    }

    /// Models that `mneme pull` fetched, a folder each.
    static var models: String { folder + "/models" }
    /// Adapters of language models, a folder each.
    static var adapters: AdapterStore { AdapterStore(path: folder + "/adapters") }
    /// Embedding models that were trained here: those among ``models`` that have a record.
    static var trainedEmbedders: AdapterStore { AdapterStore(path: models) }
    /// KV blocks on disk: a cache, which may be deleted.
    static var kv: String { folder + "/kv" }
    /// The KV blocks on disk, opened with the encryption key of this machine.
    static func kvFolder(limit: Int? = nil) throws -> KVFolder {
        try KVFolder(path: kv, limit: limit, key: encryptionKey())
    }
    /// A model by its name among the models, or by the path of a file or folder.
    ///
    /// - Parameters:
    ///   - context: tokens of prompt and answer together; the model's own bound if nil.
    ///   - threads: threads that compute; the engine's choice if nil.
    static func languageModel(_ name: String, context: Int? = nil, threads: Int? = nil) throws
        -> LanguageModel
    {
        try LanguageModel(path: languageModelPath(name), context: context, threads: threads)
    }

    /// The tokenizer of a model that lies here under this name, or whose file is called so.
    ///
    /// - Returns: nil where the model is not here any more; lists then show its name instead of
    ///   text.
    static func tokenizer(_ name: String) -> (any Tokenizer)? {
        if let path = try? languageModelPath(name), let source = try? ModelSource(path: path) {
            return try? source.tokenizer()
        }
        for folder in (try? FileManager.default.contentsOfDirectory(atPath: models)) ?? [] {
            let file = "\(models)/\(folder)/\(name).gguf"
            if FileManager.default.fileExists(atPath: file) {
                return try? ModelSource(path: file).tokenizer()
            }
        }
        return nil
    }

    /// The path of a model: the file or folder that is named, or the one in ``models`` under this
    /// name.
    ///
    /// - Throws: `ModelError` that says how to fetch it.
    static func languageModelPath(_ name: String) throws -> String {
        if name.hasSuffix(".gguf") || name.hasPrefix(".") || name.hasPrefix("/") { return name }
        // A hub name is found by its last part, under which it was fetched.
        let known = ModelWheel.all.first { $0.name == name }?.folder
        let folder =
            models + "/"
            + (known ?? String(name.split(separator: "/").last ?? "").replacing(":", with: "-"))
        if FileManager.default.fileExists(atPath: folder) { return folder }
        if FileManager.default.fileExists(atPath: name) { return name }
        throw ModelError(
            .missingFile,
            "There is no model '\(name)' in \(models). `mneme pull \(name)` fetches it; `mneme models` lists what is there."
        )
    }
}
