import ArgumentParser
import Foundation
import Mneme
import MnemeBench

/// `mneme bench schemas`: what it costs to hold answers to a schema, for whoever wants to know
/// whether constrained decoding slows their model down.
///
/// A row a kind of schema: tokens a second free and held to it, their ratio, and the ratio in the
/// first answer, when nothing is known of the schema yet. Progress goes to standard error.
struct BenchSchemasCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schemas",
        abstract: "Answers that are held to a schema against free ones, by turns.")

    @Argument(help: "A model's name, or a GGUF file.") var model: String
    /// Completion tokens; a smaller number than 2 counts as 2.
    @Option(help: "The most tokens of an answer.") var answer = 128
    /// Times that each prompt is answered freely and within each schema.
    @Option(help: "Rounds; each prompt's best counts.") var rounds = 3
    /// Above 0, as greedy decoding has less to do for each token.
    @Option(help: "Temperature of the answers; their seeds are fixed.") var temperature = 0.8
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false

    /// Runs the benchmark in MnemeBench on the loaded model.
    func run() async throws {
        let model = try Home.languageModel(model, threads: threads)
        let rows = try await SchemaBenchmark.run(
            model, answer: max(2, answer), rounds: max(1, rounds), temperature: temperature
        ) { FileHandle.standardError.write(Data(($0 + "\n").utf8)) }
        if json { return print(try OperationTable.encode(rows, pretty: true)) }
        print("schema       free     held  tokens/s   times  first answer  tokens")
        for row in rows {
            print(
                row.schema.padded(to: 9)
                    + String(
                        format: "%8.1f %8.1f           %5.2f         %5.2f  %6d", row.free, row.held,
                        row.times, row.first, row.tokens))
        }
    }
}
