import ArgumentParser
import MnemeKV

extension KVCommand {
    /// `mneme kv import`: takes blocks of an exported file. Checksums are compared; that the blocks
    /// belong to their text cannot be checked, so import only what you trust.
    ///
    /// It prints the number of blocks. They may be evicted as any others; `mneme kv pin` keeps
    /// them.
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Import an exported file.",
            discussion: """
                It is used by the same model file on any processor; other models compute anew. Import only what you trust: \
                checksums show damage, not whether keys and values are really those of the text.
                """)
        @Argument(help: "The file.") var file: String
        func run() async throws { print("\(try KVCommand.folder().import(file)) blocks") }
    }
}
