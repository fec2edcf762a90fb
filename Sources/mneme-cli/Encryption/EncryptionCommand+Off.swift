import ArgumentParser
import Mneme
import MnemeBase
import MnemeStore

extension EncryptionCommand {
    /// `mneme encryption off`: decrypts the store and what belongs to it. Exit code 2 if it is not
    /// encrypted.
    ///
    /// The store, the KV blocks that belong to it and nothing else are written again; vector
    /// indexes are removed. While it runs the disk holds both copies. Exit code 1 if another
    /// program uses the store.
    struct Off: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "off",
            abstract: "Decrypt the store: whoever reads the disk reads the memories.",
            discussion:
                "End other programs that use the store first. If it is interrupted, FILE.rewritten may be left, readable by anybody: repeat it, or delete that."
        )
        @OptionGroup var store: StoreFileOptions

        /// Checks key and store first: nothing is written for a call that cannot end well.
        func run() async throws {
            guard let key = try Home.encryptionKey() else {
                throw InputError(
                    "Set the present key: MNEME_KEY_FILE, MNEME_KEY or MNEME_KEY_COMMAND.")
            }
            guard try SQLiteMemoryStore.isEncrypted(EncryptionCommand.folders(store).store) else {
                throw InputError("The store is not encrypted.")
            }
            try EncryptionCommand.rewrite(store, from: key, to: nil)
            print("Unset the key: it is refused for a store that is not encrypted.")
        }
    }
}
