import ArgumentParser
import MnemeKV

extension KVCommand {
    /// `mneme kv unpin`: the text may be evicted again.
    ///
    /// It prints nothing, and nothing is evicted before the next text needs room. A text that is a
    /// memory (`mneme kv keep`) is unpinned too.
    struct Unpin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "unpin",
            abstract: "Let a text be evicted again.")
        @Argument(help: "The name, or its prefix.") var name: String
        /// Changes the mark of the text; its blocks are not touched.
        func run() async throws {
            let folder = try KVCommand.folder()
            try folder.setPinned(folder.find(name), false)
        }
    }
}
