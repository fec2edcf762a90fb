import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeKV
import MnemeStore

extension EncryptionCommand {
    /// `mneme encryption rotate`: exchanges the key. Only the wrapped file keys are written, unless
    /// `--rewrite` asks for new ones: for a key that may be known, together with an old copy of the
    /// files.
    ///
    /// Exit code 2 if no key is set, the store is not encrypted, or the file holds the present key.
    /// If it is cut short between store and cache, the cache alone is lost: it is computed again.
    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate",
            abstract: "Exchange the key. The old one opens nothing then.",
            discussion: """
                The key that is set opens the store. It encrypts only the keys that the files are encrypted with, so this takes an instant, and running \
                programs go on. Who had the old key and an old copy of the files has these file keys: --rewrite makes new ones, and writes everything again.
                """)
        @OptionGroup var store: StoreFileOptions
        /// The new key's file. The old one is left as it is, for older copies of the store.
        @Option(
            name: .customLong("to"),
            help: ArgumentHelp("The new key's file; made if it is not there.", valueName: "file"))
        var file: String
        /// Makes new file keys as well; the store must have no other user meanwhile.
        @Flag(help: "Also write all files again, under new file keys. End other programs first.")
        var rewrite = false

        /// Checks both keys, exchanges or rewrites, and says how to name the new key.
        func run() async throws {
            guard let old = try Home.encryptionKey() else {
                throw InputError(
                    "Set the present key: MNEME_KEY_FILE, MNEME_KEY or MNEME_KEY_COMMAND.")
            }
            // The KV blocks have the store's key, so they go with it.
            let (path, kv, _) = try EncryptionCommand.folders(store)
            guard SQLiteMemoryStore.isEncrypted(path) else {
                throw InputError("\(path) is not encrypted. `mneme encryption on` encrypts it.")
            }
            let new = try EncryptionCommand.key(in: file)
            guard new != old else { throw InputError("\(file) holds the present key.") }
            if rewrite {
                try EncryptionCommand.rewrite(store, from: old, to: new)
            } else {
                // The store first: if the cache fails, it can be deleted.
                try SQLiteMemoryStore.exchangeKey(path, from: old, to: new)
                if let kv { try KVFolder.exchangeKey(kv, from: old, to: new) }
                if store.store == nil, SQLiteMemoryStore.isEncrypted(Home.cache) {
                    try SQLiteMemoryStore.exchangeKey(Home.cache, from: old, to: new)
                }
                print("\(path): the key is exchanged.")
            }
            print(
                "From now on: export MNEME_KEY_FILE=\(file.hasPrefix("/") ? file : FileManager.default.currentDirectoryPath + "/" + file)"
            )
        }
    }
}
