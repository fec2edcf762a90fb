import ArgumentParser
import Foundation
import MnemeKV
import MnemeStore

extension EncryptionCommand {
    /// `mneme encryption status`: says whether the store is encrypted and whether the key that is
    /// set opens it.
    ///
    /// It opens the store and the KV cache with the key, so that "opens it" is not a guess. Exit
    /// code 0 also where no store or no key is there; 1 if the key is another one.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status",
            abstract: "Say what is encrypted, and whether the key that is set opens it.")
        @OptionGroup var store: StoreFileOptions

        /// Ends at the first thing that is worth saying: no store, no encryption, no key, or a key
        /// that fits.
        func run() async throws {
            let (path, kv, _) = try EncryptionCommand.folders(store)
            let key = try Home.encryptionKey()
            guard FileManager.default.fileExists(atPath: path) else {
                return print(
                    "There is no store at \(path) yet; it will \(key == nil ? "not " : "")be encrypted."
                )
            }
            guard SQLiteMemoryStore.isEncrypted(path) else {
                return print(
                    "\(path) is not encrypted. `mneme encryption on --key FILE` encrypts it\(key == nil ? "" : " with the key that is set")."
                )
            }
            print("\(path) is encrypted.")
            guard let key else {
                return print("No key is set: set MNEME_KEY_FILE, MNEME_KEY or MNEME_KEY_COMMAND.")
            }
            _ = try store.open()
            if let kv { _ = try KVFolder(path: kv, key: key) }
            print("The key that is set opens it.")
        }
    }
}
