import ArgumentParser
import MnemeServer

extension KeysCommand {
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a key useless at once.")
        @Argument(help: "The key's name or id.") var name: String

        func run() async throws {
            try KeyFile(path: Home.keys).revoke(name)
            print("Revoked.")
        }
    }
}
