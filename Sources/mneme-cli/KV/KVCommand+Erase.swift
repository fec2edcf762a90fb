import ArgumentParser
import MnemeBase
import MnemeKV

extension KVCommand {
    /// `mneme kv erase`: deletes blocks of a text, of a memory, or all. Prefixes that other texts
    /// share stay with these.
    ///
    /// A running server that holds them in memory does not see it: erase through the server.
    ///
    /// It prints how many blocks were deleted. Exit code 2 unless exactly one of name, `--memory`
    /// and `--all` is given, or if other texts begin with all of the named one; 1 if there is no
    /// such text.
    struct Erase: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "erase",
            abstract: "Delete KV blocks, and all that follow them.")
        /// A text by the beginning of its name; blocks that other texts share stay.
        @Argument(help: "The name of a text, or its prefix: what it alone has is deleted.")
        var name: String?
        @Flag(help: "Delete all.") var all = false
        /// The whole id of a memory: blocks of every text that it was recalled into are deleted.
        @Option(help: "Delete what was made with this memory in the text.") var memory: String?

        /// Checks that one thing is named, then deletes the files of the blocks.
        func run() async throws {
            // Exactly one way to say what goes: nothing is deleted by a slip.
            guard [name != nil, all, memory != nil].count(where: { $0 }) == 1 else {
                throw InputError("Give a name, --memory ID or --all.")
            }
            let folder = try KVCommand.folder()
            let count: Int
            if let name {
                // What others begin with stays.
                count = try folder.erase(text: folder.find(name))
                guard count > 0 else {
                    throw InputError("Other texts begin with all of it. Erase them first.")
                }
            } else {
                count = try folder.erase { all || $0.sources.contains(memory ?? "") }
            }
            print("\(count) block\(count == 1 ? "" : "s") deleted")
        }
    }
}
