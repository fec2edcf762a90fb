import Foundation
import Mneme
import MnemeBase
import MnemeEmbedding
import MnemeHub
import MnemeModels
import MnemeServer
import MnemeStore

/// Embedding models by the names that the setting `embedder` has.
extension Home {
    /// The folder of MiniLM.
    static var miniLMFolder: String { EmbedderChoice.miniLMFolder }

    /// MiniLM, which the benchmarks measure. It is loaded when the first text is embedded.
    ///
    /// - Throws: `ModelError` if it is not here.
    static func miniLM() throws -> LazyEmbedder { try EmbedderChoice.miniLM(in: miniLMFolder) }

    /// An embedder by its name: `minilm`, a folder's name in ``models`` or its path, or an
    /// endpoint's address with its model. Its weights are loaded when the first text is embedded. In
    /// place of a trained one that is out of use, as a memory that it was made from was erased, or the one that
    /// stands for it is archived, comes its base, with a note.
    ///
    /// - Parameter known: embedders of the store, so that an endpoint need not be asked for the
    ///   length of its vectors.
    /// - Throws: `ModelError` if it is not here or is none, or an endpoint does not answer;
    ///   `InputError` for an address that is none.
    static func embedder(_ name: String, known: [StoredEmbedder] = []) throws -> any TextEmbedder {
        if RemoteEmbedder.isAddress(name) {
            let key = ProcessInfo.processInfo.environment["MNEME_EMBEDDER_KEY"]
            let dimension = known.first { $0.identifier == name }?.dimension
            return try RemoteEmbedder(name, key: key, dimension: dimension)
        }
        guard name != "minilm" else { return try miniLM() }
        guard let folder = embedderFolder(name) else {
            throw ModelError(
                .missingFile,
                "There is no embedding model '\(name.prefix(200))' in \(models). `mneme pull OWNER/NAME` fetches one; `mneme embedder list` shows what is there."
            )
        }
        // A model that was fetched has a record of another kind.
        let trained = AdapterFolder(path: folder)
        if trained.holdsAdapter, let record = try trained.record(), let why = try whyOutOfUse(record) {
            let way = record.withdrawn == nil ? "" : " `mneme embedder retrain \(record.name)` learns it anew."
            Terminal.note(
                "The embedding model '\(record.name)' is out of use: \(why)\(way) Its base '\(record.base)' serves; `mneme reembed` makes the base's vectors."
            )
            return try embedder(record.base, known: known)
        }
        return try EmbeddingModel.open(folder: folder)
    }

    /// The folder of the embedding model that a training begins with.
    ///
    /// - Throws: `ModelError` if it is not here; `InputError` for an endpoint, which nobody can train.
    static func trainableFolder(_ name: String) throws -> String {
        guard !RemoteEmbedder.isAddress(name) else {
            throw InputError(
                "\(name) is an endpoint. An embedding model on this machine can be trained: --model minilm.")
        }
        _ = try embedder(name)
        return name == "minilm" ? miniLMFolder : embedderFolder(name) ?? name
    }

    /// As ``embedder(_:known:)``; nil if it is not here, or would have to be asked over the network
    /// before anything is embedded.
    static func localEmbedder(_ name: String, known: [StoredEmbedder]) throws
        -> (any TextEmbedder)?
    {
        if RemoteEmbedder.isAddress(name) {
            guard known.contains(where: { $0.identifier == name }) else { return nil }
            return try embedder(name, known: known)
        }
        return try? embedder(name)
    }

    /// The folder of an embedder that is named by path or by its folder's name; nil if it is not
    /// there. A name of the hub, `OWNER/NAME`, is found by its last part, under which it was fetched.
    static func embedderFolder(_ name: String) -> String? {
        func isFolder(_ path: String) -> Bool {
            var folder: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &folder)
                && folder.boolValue
        }
        let path = (name as NSString).expandingTildeInPath
        let named = [".", "/"].contains { path.hasPrefix($0) }
        let fetched = models + "/" + (name.split(separator: "/").last.map(String.init) ?? "")
        return (named ? [path] : [fetched, path]).first(where: isFolder)
    }

    /// The embedder that made the store's other vectors, if its model is on this machine: its
    /// vectors serve until they are made anew. An endpoint is none: whoever has turned to another
    /// embedder wants no question sent there.
    static func formerEmbedder(of present: any TextEmbedder, among known: [StoredEmbedder])
        -> (any TextEmbedder)?
    {
        known.lazy.filter { $0.identifier != present.identifier }.compactMap { other in
            let name = other.identifier.prefix { $0 != "@" }
            let folder = models + "/" + name
            guard !name.isEmpty, !name.contains("/"), !name.hasPrefix("."),
                let found = try? EmbeddingModel.open(folder: folder), found.identifier == other.identifier
            else { return nil }
            // One that was learned here serves no more once the memory that stands for it is archived.
            let trained = AdapterFolder(path: folder)
            if trained.holdsAdapter, let record = try? trained.record(),
                (try? whyOutOfUse(record)) != nil
            {
                return nil
            }
            return found
        }.first
    }

    /// The embedders in ``models``, by their folders' names; folders of other models are left out.
    static var embedders: [(name: String, embedder: any TextEmbedder)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: models)) ?? []
        return names.sorted().filter { !$0.hasPrefix(".") }.compactMap { name in
            (try? EmbeddingModel.open(folder: models + "/" + name)).map { (name, $0) }
        }
    }
}
