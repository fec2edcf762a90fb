import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeStore

extension EncryptionCommand {
    /// `mneme encryption on`: encrypts a store that is not. Exit code 2 if it is already, or no key
    /// is named; 1 if another program uses the store or the disk is full: then all is as before.
    ///
    /// It prints the pages that were encrypted and, for a key in a file, the line to put into the
    /// shell's profile. Copies of the store that were made before stay readable.
    struct On: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "on",
            abstract: "Encrypt the store and what was made of it.",
            discussion:
                "End other programs that use the store first. It is written a second time, so there must be room for that."
        )
        @OptionGroup var store: StoreFileOptions
        /// A file with 64 hexadecimal digits. Without it the key of the environment is used.
        @Option(
            help: ArgumentHelp(
                "The key's file; made if it is not there. The key that is set if left out.",
                valueName: "file"))
        var key: String?

        /// Makes the key, rewrites the store, and says how to name the key from now on.
        func run() async throws {
            let path = try EncryptionCommand.folders(store).store
            guard FileManager.default.fileExists(atPath: path) else {
                throw InputError(
                    "There is no store at \(path). With a key set, a new one is encrypted.")
            }
            guard !SQLiteMemoryStore.isEncrypted(path) else {
                throw InputError(
                    "\(path) is encrypted already. `mneme encryption rotate` exchanges the key.")
            }
            // The key is made and on disk before anything is encrypted with it.
            guard let used = try key.map(EncryptionCommand.key) ?? Home.encryptionKey() else {
                throw InputError(
                    "Which key? --key FILE makes one, or set MNEME_KEY_FILE, MNEME_KEY or MNEME_KEY_COMMAND."
                )
            }
            try EncryptionCommand.rewrite(store, from: nil, to: used)
            if let key, ProcessInfo.processInfo.environment["MNEME_KEY_FILE"] != key {
                print(
                    "From now on: export MNEME_KEY_FILE=\(key.hasPrefix("/") ? key : FileManager.default.currentDirectoryPath + "/" + key)"
                )
            }
        }
    }
}
