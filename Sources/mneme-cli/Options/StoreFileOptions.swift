import ArgumentParser
import Mneme
import MnemeStore

/// The store, for commands that read or change it without the embedding model.
struct StoreFileOptions: ParsableArguments {
    /// The store's file or URL; the KV cache stays that of `$MNEME_HOME` whatever is named here.
    @Option(
        help: ArgumentHelp(
            "The store: a file, or postgres://USER@HOST/DATABASE; $MNEME_HOME/memory.db if left out.",
            valueName: "file"))
    var store: String?

    /// The path or URL of the store; a path without a slash at its beginning is relative to the
    /// working directory.
    var path: String { store ?? Settings.current.text(.store) ?? Home.store }

    /// The store. It is made if it is not there.
    ///
    /// - Throws: `StoreError`, or `InputError` for a key that is missing or does not fit.
    func open() throws -> any MemoryStore { try Home.memoryStore(path) }

    /// The path, for what is done with a file alone.
    ///
    /// - Throws: `InputError` for a database.
    func filePath() throws -> String { try Home.requireFile(path) }

    /// The store in a file.
    ///
    /// - Throws: as ``open()``, and `InputError` for a database.
    func openFile() throws -> SQLiteMemoryStore { try Home.fileStore(path) }

    /// The memories, for work that needs no vectors: what is written meanwhile is embedded later.
    ///
    /// - Throws: `StoreError`, or `InputError` for a key that is missing or does not fit.
    func memory() throws -> MemoryOS { try Home.memory(path, embedder: nil) }
}
