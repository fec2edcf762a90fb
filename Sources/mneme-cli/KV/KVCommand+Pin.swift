import ArgumentParser
import MnemeKV

extension KVCommand {
    /// `mneme kv pin`: the text's blocks stay when the disk's budget is used up.
    ///
    /// It prints nothing. For a document that is asked about again and again. Exit code 1 for a
    /// name that fits no text or several.
    struct Pin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pin",
            abstract: "Keep a text from being evicted.")
        @Argument(help: "The name, or its prefix.") var name: String
        func run() async throws {
            let folder = try KVCommand.folder()
            try folder.setPinned(folder.find(name), true)
        }
    }
}
