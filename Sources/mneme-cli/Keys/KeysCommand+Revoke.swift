import ArgumentParser
import MnemeServer

extension KeysCommand {
    /// `mneme keys revoke`: the key is refused from now on. When the last one is revoked, the
    /// server refuses everybody until a new one is made. Exit code 2 if there is no such key.
    ///
    /// The key stays in `$MNEME_HOME/keys.json` with the time of its end; it cannot be taken back.
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke",
            abstract: "Make a key useless at once.")
        @Argument(help: "The key's name or id.") var name: String

        func run() async throws {
            try KeyFile(path: Home.keys).revoke(name)
            print("Revoked.")
        }
    }
}
