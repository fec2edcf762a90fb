import ArgumentParser
import Foundation
import Mneme
import MnemeChat

/// Options of every command that opens the store.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store's file; $MNEME_HOME/memory.db if left out.", valueName: "file"))
    var store: String?
    @Flag(help: "Recall by words alone; needs no model.")
    var noEmbedder = false

    /// - Parameter requiresModel: whether it is an error if the embedding model is not here;
    ///   otherwise what is done goes without.
    func open(requiresModel: Bool = true) throws -> MemoryOS {
        try Self.open(store: store, noEmbedder: noEmbedder || (!requiresModel && !Home.hasEmbedder))
    }

    static func open(store path: String?, noEmbedder: Bool) throws -> MemoryOS {
        let memory = MemoryOS(
            store: try StoreFileOptions.open(path),
            embedder: noEmbedder ? nil : try Home.embedder(),
            indexFolder: (path ?? Home.store) + ".index")
        memory.attach(keys: Home.packageKeys)
        if FileManager.default.fileExists(atPath: Home.kv) {
            memory.attach(FolderMemory(try Home.kvFolder()))
        }
        return memory
    }
}
