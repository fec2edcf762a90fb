import ArgumentParser
import Mneme
import MnemeModels

extension EmbedderCommand {
    /// `mneme embedder list`: a line for each embedding model in `$MNEME_HOME/models`: name, elements
    /// of a vector, the longest text in tokens. The one that the setting names has a star.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the embedding models in $MNEME_HOME/models.")

        @Flag(help: "Print JSON.") var json = false

        /// An embedding model.
        struct Row: Encodable {
            var name, identifier: String, dimension, maximumTokens: Int, isUsed: Bool
        }

        func run() throws {
            let chosen = Settings.current.text(.embedder) ?? "minilm"
            let used = (chosen == "minilm" ? Home.miniLMFolder : Home.embedderFolder(chosen)) ?? ""
            let rows = Home.embedders.map { name, embedder in
                Row(
                    name: name, identifier: embedder.identifier, dimension: embedder.dimension,
                    maximumTokens: embedder.maximumTokens, isUsed: used == Home.models + "/" + name)
            }
            if json { return print(try OperationTable.encode(rows, pretty: true)) }
            for row in rows {
                print(
                    Terminal.line(
                        "\(row.isUsed ? "*" : " ") \(row.name.padded(to: 28)) \(row.dimension) elements, \(row.maximumTokens) tokens"
                    ))
            }
            let trained = Home.trainedEmbedders
            for name in trained.names() {
                guard let record = try trained.folder(name).record(), let why = try Home.whyOutOfUse(record)
                else { continue }
                print(Terminal.line("  \(name.padded(to: 28)) out of use: \(why)"))
            }
            if rows.isEmpty {
                print(
                    "There is no embedding model in \(Home.models). `mneme pull minilm` fetches one.")
            }
        }
    }
}
