import ArgumentParser
import Mneme
import MnemeStore

extension EmbedderCommand {
    /// `mneme embedder show`: the embedder in use, where the setting comes from, and how many
    /// memories of the store have its vectors, another's or none.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show the embedding model in use, and whose vectors the store has.")

        @OptionGroup var store: StoreOptions
        @Flag(help: "Print JSON.") var json = false

        /// A model, as it is shown.
        struct Row: Encodable {
            var name, source: String
            var identifier: String?
            var dimension, maximumTokens: Int?
            /// Memories with its vectors, with another embedder's, and with none.
            var vectors, others, missing: Int
            /// Embedders of which the store has vectors.
            var stored: [String]
        }

        func run() async throws {
            let file = try store.file.open()
            let known = try file.embedders()
            let name = store.embedderName ?? "none"
            let embedder = try store.embedderName.map { try Home.embedder($0, known: known) }
            let statistics = try file.statistics(owner: nil, by: .local)
            let missing = try file.pendingEmbeddingCount(replacing: nil)
            let others =
                try file.pendingEmbeddingCount(replacing: embedder?.identifier ?? "") - missing
            let row = Row(
                name: name,
                source: store.noEmbedder || store.embedder != nil
                    ? "option" : Settings.current.value(.embedder)?.source.text ?? "built in",
                identifier: embedder?.identifier, dimension: embedder?.dimension,
                maximumTokens: embedder?.maximumTokens, vectors: statistics.vectors - others,
                others: others, missing: missing, stored: known.map(\.identifier))
            if json { return print(try OperationTable.encode(row, pretty: true)) }
            print(Terminal.line("embedder  \(Setting.shown(row.name))  (\(row.source))"))
            if let embedder {
                print(
                    Terminal.line(
                        "model     \(embedder.identifier): \(embedder.dimension) elements, texts of \(embedder.maximumTokens) tokens"
                    ))
            }
            print("vectors   \(row.vectors) of it, \(row.others) of others, \(row.missing) missing")
            if row.others > 0 {
                print(
                    Terminal.line(
                        "others    \(row.stored.filter { $0 != row.identifier }.joined(separator: ", ")); `mneme reembed` makes them anew"
                    ))
            }
        }
    }
}
