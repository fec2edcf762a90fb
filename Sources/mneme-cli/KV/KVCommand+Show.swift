import ArgumentParser
import Mneme
import MnemeKV
import MnemeText

extension KVCommand {
    /// `mneme kv show`: one text: its model, its tokens, and the memories that it was made of. Exit
    /// code 1 if there is none of that name.
    ///
    /// The text is read back from its tokens, where the model is here; otherwise a note stands in
    /// its place. For finding out what a prompt held, and which memories an erasure would take with
    /// it.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "A text, and what is kept of it.")
        @Argument(help: "The name, or its prefix, as `mneme kv list` shows it.") var name: String
        @Flag(help: "Print JSON.") var json = false

        /// A text for `--json`, with all its token ids; `bytes` is what its blocks take on disk.
        struct Report: Encodable {
            var id: String
            var model: String
            var modelHash: String
            var tokens: [Int32]
            var text: String?
            var bytes: Int
            var isPinned: Bool
            var sources: [String]
        }

        /// Reads the chain of the named block back to its first one.
        func run() async throws {
            let folder = try KVCommand.folder()
            let chain = try folder.chain(folder.find(name))
            let known = Dictionary(folder.entries().map { ($0.hash, $0) }) { first, _ in first }
            let entries = chain.compactMap { known[$0] }
            guard let end = entries.last else { throw KVError.absent(name) }
            let tokens = entries.flatMap(\.tokens)
            let report = Report(
                id: end.hash.description, model: end.model, modelHash: end.modelHash.description,
                tokens: tokens,
                text: Home.tokenizer(end.model)?.decode(tokens),
                bytes: entries.reduce(0) { $0 + $1.bytes },
                isPinned: end.isPinned, sources: end.sources)
            if json { return print(try OperationTable.encode(report, pretty: true)) }
            print(
                """
                name     \(report.id)
                model    \(report.model) (\(report.modelHash.prefix(12)))
                size     \(tokens.count) tokens in \(entries.count) blocks, \(report.bytes / 1024) KiB\(report.isPinned ? ", pinned" : "")
                """)
            if !report.sources.isEmpty {
                print("memories \(report.sources.joined(separator: " "))")
            }
            print(report.text ?? "(the model is not here to read its tokens)")
        }
    }
}
