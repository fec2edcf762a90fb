import ArgumentParser
import Foundation
import Mneme
import MnemeBench

/// `mneme bench embed`: texts a second and latency of the embedding model, at batches of 32 and 1,
/// for each precision. The share of the peak says how near the kernels are to what this machine can
/// multiply.
///
/// Exit code 1 if the embedding model is not here. It reads the model and the file of texts, and
/// writes nothing.
struct BenchEmbedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Texts a second of the embedder, per precision, and its share of the matrix peak."
    )

    /// A file of texts like those that will be embedded, as speed depends on their length.
    @Option(
        help: ArgumentHelp("One text a line; a built-in sample if left out.", valueName: "file"))
    var texts: String?
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    /// Time for each precision and batch.
    @Option(help: "Seconds for each measurement.") var seconds = 3.0
    @Flag(help: "Print JSON.") var json = false

    /// Fails first if the model is not here, then measures.
    func run() async throws {
        _ = try Home.miniLM()
        let report = try EmbedBenchmark.run(
            folder: Home.miniLMFolder, textsFile: texts, threads: threads, seconds: seconds)
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        print(
            "\(report.texts) texts of \(String(format: "%.1f", report.meanTokens)) tokens, \(report.threads) threads, \(report.features.joined(separator: " "))"
        )
        print("precision  batch  texts/s  median ms  GFLOP/s  share of peak")
        for row in report.rows {
            print(
                row.precision.padded(to: 10),
                String(
                    format: "%5d %8.1f  %9.2f  %7.0f", row.batch, row.textsPerSecond,
                    row.medianMilliseconds,
                    row.gigaflops),
                row.shareOfPeak.map { String(format: "  %4.0f%%", $0 * 100) } ?? "     –")
        }
    }
}
