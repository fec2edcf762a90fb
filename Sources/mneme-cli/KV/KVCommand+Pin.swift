import ArgumentParser
import MnemeKV

extension KVCommand {
    struct Pin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Keep a text from being trimmed.")
        @Argument(help: "The name, or its beginning.") var name: String
        func run() async throws {
            let folder = try KVCommand.folder()
            try folder.setPinned(folder.find(name), true)
        }
    }
}
