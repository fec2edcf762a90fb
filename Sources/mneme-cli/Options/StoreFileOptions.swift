import ArgumentParser
import Mneme
import MnemeStore

/// Options of commands that need the store alone, and no model.
struct StoreFileOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store's file; $MNEME_HOME/memory.db if left out.", valueName: "file"))
    var store: String?

    func open() throws -> SQLiteMemoryStore { try Self.open(store) }

    static func open(_ path: String?) throws -> SQLiteMemoryStore {
        try SQLiteMemoryStore(
            path: path ?? Home.store, analyzer: MemoryOS.analyzerVersion,
            auditKey: Home.signingKey(),
            key: Home.encryptionKey())
    }
}
