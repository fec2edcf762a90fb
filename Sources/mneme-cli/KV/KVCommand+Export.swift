import ArgumentParser
import MnemeKV

extension KVCommand {
    /// `mneme kv export`: a text's blocks as one file, for the same model elsewhere. The file is
    /// there whole or not at all.
    ///
    /// The file holds the tokens, which are as readable as the text; it is not encrypted. Exit code
    /// 1 for a name that fits no text or several.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Write a text's KV blocks into one file, for another machine.")
        @Argument(help: "The name, or its prefix.") var name: String
        @Argument(help: "The file to write.") var file: String
        func run() async throws {
            let folder = try KVCommand.folder()
            try folder.export(folder.find(name), to: file)
        }
    }
}
