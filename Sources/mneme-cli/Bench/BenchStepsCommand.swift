import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine

/// `mneme bench steps MODEL`: how long steps of a model take on this machine, as coefficients for
/// `mneme serve replay --cost`.
///
/// With `--json` the coefficients alone go to standard output, so that the output is that file.
struct BenchStepsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "steps",
        abstract: "The cost of a model's steps on this machine, for `mneme serve replay --cost`.",
        discussion: """
            Prompts and answers of several lengths are timed, and seconds a step, a token, a row attended to and a \
            sample are fitted to them. Set saturation (the share of the cores that reads memory as fast as all) and \
            copy, copyBlock (copies to other memory) in the file, if splits of the cores or swapping are replayed.
            """)

    @Argument(help: "A model's name, or a GGUF file.") var model: String
    @Option(help: "Repetitions of each step; the best counts.") var repetitions = 3
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print the coefficients as JSON.") var json = false

    /// Measures, and prints the coefficients and how well they fit.
    func run() async throws {
        guard repetitions > 0, threads > 0 else { throw InputError("--repetitions and --threads are at least 1.") }
        let report = try StepCostBenchmark.run(
            try Home.languageModel(model, threads: threads), repetitions: repetitions)
        if json { return print(try OperationTable.encode(report.cost, pretty: true)) }
        print("sequences  tokens  behind  measured   fitted")
        for row in report.rows {
            print(
                String(
                    format: "%9d  %6d  %6d  %6.2f ms  %6.2f ms", row.sequences, row.tokens, row.position,
                    row.seconds * 1000, row.fitted * 1000))
        }
        let cost = report.cost
        print(
            String(
                format:
                    "step %.2f ms, token %.1f µs, row of a prompt %.3f µs, row of an answer %.3f µs, sample %.1f µs; "
                    + "error %.1f%%",
                cost.step * 1e3, cost.token * 1e6, cost.promptRow * 1e6, cost.answerRow * 1e6, cost.sample * 1e6,
                report.error * 100))
    }
}
