import ArgumentParser
import Mneme
import MnemeStore

/// The store's file, for commands that read or change it without the embedding model.
struct StoreFileOptions: ParsableArguments {
    /// The store's file; the KV cache stays that of `$MNEME_HOME` whatever is named here.
    @Option(
        help: ArgumentHelp(
            "The store's file; $MNEME_HOME/memory.db if left out.", valueName: "file"))
    var store: String?

    /// The path of the store; without a slash at its beginning it is relative to the working
    /// directory.
    var path: String { store ?? Home.store }

    /// The store. It is made if it is not there.
    ///
    /// - Throws: `StoreError`, or `InputError` for a key that is missing or does not fit.
    func open() throws -> SQLiteMemoryStore { try Home.memoryStore(path) }

    /// The memories, for work that needs no vectors: what is written meanwhile is embedded later.
    ///
    /// - Throws: `StoreError`, or `InputError` for a key that is missing or does not fit.
    func memory() throws -> MemoryOS { try Home.memory(path, embedder: nil) }
}
