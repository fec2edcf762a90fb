public import Foundation
public import MnemeBase
package import MnemeEmbedding
import MnemeStore

/// Which model turns texts into vectors, for ``MemoryOS/open(_:embedder:recipe:)``.
public enum EmbedderChoice: Sendable {
    /// No model: recall works by words, names and dates alone.
    case none
    /// all-MiniLM-L6-v2 in ``miniLMFolder``, where `mneme pull minilm` puts it (80 MB).
    case miniLM
    /// The model in a folder as the hub has it: BERT, RoBERTa, XLM-RoBERTa or DistilBERT with what
    /// sentence-transformers puts behind it, or a table of Model2Vec.
    case folder(String)
    /// A model of one's own.
    case custom(any TextEmbedder)

    /// The folder of all-MiniLM-L6-v2: `$MNEME_HOME/models/all-MiniLM-L6-v2`, or in `~/.mneme` if
    /// that is not set.
    public static var miniLMFolder: String {
        HomeFolder.path + "/models/all-MiniLM-L6-v2"
    }

    /// The embedder; nil if there is none.
    ///
    /// - Throws: `ModelError` if the model's files are missing, with how to fetch them.
    func embedder() throws -> (any TextEmbedder)? {
        switch self {
        case .none: return nil
        case .folder(let folder): return try EmbeddingModel.open(folder: folder)
        case .custom(let embedder): return embedder
        case .miniLM: return try Self.miniLM(in: Self.miniLMFolder)
        }
    }

    /// all-MiniLM-L6-v2 in a folder.
    ///
    /// - Throws: `ModelError` if its files are missing, with how to fetch them.
    package static func miniLM(in folder: String) throws -> LazyEmbedder {
        guard FileManager.default.fileExists(atPath: folder + "/model.safetensors") else {
            throw ModelError(
                .missingFile,
                """
                The embedding model is not in \(folder). `mneme pull minilm` fetches it (80 MB), or put the files of \
                sentence-transformers/all-MiniLM-L6-v2 there (config.json, vocab.txt, model.safetensors, \
                sentence_bert_config.json). Without it (--no-embedder, in Swift the embedder .none), recall works by \
                words alone.
                """)
        }
        return try LazyEmbedder(folder: folder)
    }
}

extension MemoryOS {
    /// Opens the memory in a file, or makes a new one there, with its folder.
    ///
    /// ```swift
    /// import Mneme
    ///
    /// let memory = try await MemoryOS.open("memory.db", embedder: .miniLM)
    /// try await memory.remember("Ana moved to Lisbon.", for: "ana")
    /// let answer = try await memory.recall("Where does Ana live?", for: "ana")
    /// print(answer.memories[0].text, answer.memories[0].explanation)
    /// ```
    ///
    /// Several processes may open the same file, `mneme` among them. The caller is the local user,
    /// who may do everything; where requests of others come in, use
    /// ``init(store:embedder:formerEmbedder:indexFolder:indexMemory:indexDisk:recipe:maintainers:)`` and name
    /// the `Caller` with each call.
    ///
    /// - Parameters:
    ///   - path: the store's file. Indexes of many memories are kept beside it, in `PATH.index`.
    ///   - embedder: ``EmbedderChoice/none`` needs no model.
    ///   - recipe: how memory works; `RecipeCatalog.recipe("a-mem", over: .standard)` is another.
    /// - Throws: `ModelError` if the model is missing, with how to fetch it; `StoreError` if
    ///   the file cannot be opened; `SealError` if it is encrypted.
    public static func open(
        _ path: String, embedder: EmbedderChoice = .miniLM, recipe: Recipe = .standard
    ) async throws -> MemoryOS {
        // SQLite takes an empty name for a file that is deleted when it is closed.
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw InputError("Name the file that keeps the memories, such as memory.db.")
        }
        // Opening reads and writes files, which must not block Swift's cooperative threads.
        return try await withCheckedThrowingContinuation { done in
            DispatchQueue.global().async {
                done.resume(
                    with: Result {
                        let model = try embedder.embedder()
                        let store = try SQLiteMemoryStore(path: path, analyzer: analyzerVersion)
                        let memory = MemoryOS(
                            store: store, embedder: model, indexFolder: path + ".index",
                            recipe: recipe)
                        memory.resume()
                        return memory
                    })
            }
        }
    }

    /// Remembers a text of a user: on disk, and found by its words, when this returns.
    ///
    /// - Parameters:
    ///   - text: kept exactly; a long one becomes several memories.
    ///   - user: whose memory it is. Nobody else recalls it.
    ///   - speaker: who said it.
    ///   - time: when it was said, which "yesterday" in it refers to; nil means now.
    /// - Returns: what was found in the text, such as its kind and dates, memory by memory.
    /// - Throws: as ``remember(_:scope:by:idempotencyKey:)``, which takes many messages at once.
    @discardableResult
    public func remember(
        _ text: String, for user: String = "default", speaker: String? = nil, at time: Date? = nil
    ) async throws -> [Remembered] {
        try await remember(
            [MemoryInput(text, speaker: speaker, eventTime: time)], scope: Scope(user: user))
    }

    /// The memories of a user that best answer a question, best first.
    ///
    /// - Parameters:
    ///   - question: in plain words.
    ///   - user: whose memories are asked.
    ///   - limit: at most so many memories.
    /// - Throws: as ``recall(_:by:)``, which can also filter and ask about another time.
    public func recall(
        _ question: String, for user: String = "default", limit: Int = 10
    ) async throws -> RecallResult {
        try await recall(RecallRequest(question, owner: Owner(user: user), limit: limit))
    }
}

extension RecalledMemory {
    /// The text of the memory.
    public var text: String { memory.text }
}
