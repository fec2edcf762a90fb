import ArgumentParser
import Foundation
import Mneme
import MnemeBench

/// `mneme bench drafts`: what drafting from the prompt gains and costs, for whoever wants to know
/// whether it pays on their machine and model.
///
/// A row a kind of chat: tokens a second with and without drafts, their ratio, the share of drafted
/// tokens that were accepted, and whether the answers are the same. Rounds go to standard error as
/// they end.
struct BenchDraftsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drafts",
        abstract:
            "Answers with and without drafts from the prompt: chats that quote memories, and free text."
    )

    @Argument(help: "A model's name, or a GGUF file.") var model: String
    /// Completion tokens of a turn; a smaller number than 2 counts as 2.
    @Option(help: "The most tokens of an answer.") var answer = 128
    /// Times that each chat is answered with and without drafts.
    @Option(help: "Rounds; each chat's best counts.") var rounds = 3
    /// 0 takes the likeliest token; above it the seeds are the same in both runs.
    @Option(help: "Temperature of the answers; their seeds are fixed.") var temperature = 0.0
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false

    /// Runs the benchmark in MnemeBench on the loaded model.
    func run() async throws {
        let model = try Home.languageModel(model, threads: threads)
        let rows = try await DraftBenchmark.run(
            model, answer: max(2, answer), rounds: max(1, rounds), temperature: temperature
        ) { FileHandle.standardError.write(Data(($0 + "\n").utf8)) }
        if json { return print(try OperationTable.encode(rows, pretty: true)) }
        print("chats      without    with  tokens/s   times  drafted  accepted  same answers")
        for row in rows {
            print(
                row.chats.padded(to: 9)
                    + String(
                        format: "%9.1f %7.1f           %6.2f  %7.2f  %7.0f%%  %@", row.plain,
                        row.drafted, row.drafted / row.plain, row.drafts, row.held * 100,
                        row.same ? "yes" : "no"))
        }
    }
}
