import ArgumentParser
import Mneme
import MnemeKV
import MnemeStore
import MnemeText

extension KVCommand {
    /// `mneme kv keep`: makes KV blocks a memory of a user, with the memories that they were made
    /// of as its sources: so that erasing one of these reaches the blocks.
    ///
    /// It prints the memory's id and size, and pins the text. The payload is a reference to the
    /// blocks; its text is the first 400 characters where the model's tokenizer is here. Exit code
    /// 1 if a block of the text is missing.
    struct Keep: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "keep",
            abstract:
                "Make a text's KV blocks a memory: with an owner, a history, and edges to the memories that it was made of.",
            discussion: """
                They are not evicted any more. `mneme get`, `list` and `history` show the memory; it is no saying, so `recall` does not. \
                `mneme erase` of it, or of a memory that it was made of, deletes the keys and values, too.
                """)
        @Argument(help: "The name, or its prefix.") var name: String
        /// The owner of the memory: who sees it, and who may erase it.
        @Option(help: "Whose memory it is.") var user = "default"
        @Option(help: "An organisation or deployment.") var tenant = "default"
        @OptionGroup var store: StoreFileOptions
        @Flag(help: "Print JSON.") var json = false

        /// Checks that the chain is complete, makes the memory, then pins the blocks.
        func run() async throws {
            let folder = try KVCommand.folder()
            let hash = try folder.find(name)
            let chain = try folder.chain(hash)
            let names = Set(chain)
            // All blocks from the text's beginning on; with one missing it could not be read back.
            let entries = folder.entries().filter { names.contains($0.hash) }
            guard let end = entries.last, entries.count == chain.count else {
                throw KVError.absent(name)
            }
            let tokens = entries.flatMap(\.tokens)
            let text = Home.tokenizer(end.model)?.decode(tokens) ?? ""
            let reference = ActivationReference(
                block: hash.description, model: end.model, modelHash: end.modelHash.description,
                tokens: tokens.count,
                bytes: entries.reduce(0) { $0 + $1.bytes },
                sources: Set(entries.flatMap(\.sources)).sorted())
            let memory = try store.memory()
            let cube = try await memory.keep(
                reference,
                text: text.contains { !$0.isWhitespace }
                    ? String(text.prefix(400)) : "Keys and values of \(end.model)",
                scope: Scope(tenant: tenant, user: user),
                by: Caller(.local, operation: "kv keep"))
            // Pinned last: a memory whose blocks may be evicted is worse than blocks without one.
            try folder.setPinned(hash, true)
            await memory.close()
            if json { return print(try OperationTable.encode(cube, pretty: true)) }
            print(
                "\(cube.id)  \(tokens.count) tokens, \(reference.bytes / 1_048_576) MiB, kept until `mneme erase \(cube.id)`"
            )
        }
    }
}
