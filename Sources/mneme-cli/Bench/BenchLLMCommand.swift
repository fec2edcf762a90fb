import ArgumentParser
import Foundation
import Mneme
import MnemeBench

/// `mneme bench llm`: tokens a second of prefill and decode, without memory, sampling or HTTP.
/// `scripts/peers/llama.cpp` runs it before and after llama.cpp's own bench.
///
/// A row a length of prompt (prefill) and a number of sequences (decode), with its share of the
/// int8 peak or of the memory bandwidth.
struct BenchLLMCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "llm",
        abstract:
            "Prefill and decode of a language model, and their share of what the machine can do.")

    @Argument(help: "A model's name, or a GGUF file.") var model: String
    /// Tokens of the prompts, a row each.
    @Option(name: .customLong("prompt"), parsing: .upToNextOption, help: "Lengths of prompts.")
    var prompts = [
        128, 512, 2048,
    ]
    /// Sequences in one batch, a row each: decoding reads the weights once for all of them.
    @Option(parsing: .upToNextOption, help: "Sequences that decode at once.") var sequences = [
        1, 8,
    ]
    @Option(help: "Tokens of an answer.") var answer = 128
    /// Repetitions of each row; the best counts, as other programs only make a run slower.
    @Option(help: "Repetitions; the best counts.") var repetitions = 3
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false

    /// Loads the model with the given threads, measures, and prints a row for each case.
    func run() async throws {
        let model = try Home.languageModel(model, threads: threads)
        let report = try LLMBenchmark.run(
            model, prompts: prompts, sequences: sequences, answer: max(1, answer),
            repetitions: max(1, repetitions))
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            "\(report.model), \(report.threads) threads, \(report.features.joined(separator: " "))")
        print(
            String(
                format: "weights %.0f MiB packed, process at most %.0f MiB, memory reads %.1f GB/s",
                Double(report.weightBytes) / 1_048_576,
                Double(report.peakBytes) / 1_048_576, report.bandwidth / 1e9))
        print("            tokens/s")
        for row in report.rows {
            let name = row.kind == "prefill" ? "prefill \(row.tokens)" : "decode ×\(row.sequences)"
            // Prefill is bound by arithmetic, decode by reading the weights.
            let share =
                row.share.map {
                    String(
                        format: "  %3.0f%% of the %@", $0 * 100,
                        row.kind == "prefill" ? "int8 peak" : "bandwidth")
                } ?? ""
            print(
                name.padded(to: 12)
                    + String(format: "%8.1f", row.tokensPerSecond)
                    + share)
        }
    }
}
