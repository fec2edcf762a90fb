import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench

/// `mneme bench adapters`: the decode rate with another adapter in each sequence of a batch beside
/// none, and a store of many adapters that are paged by use. All are random.
///
/// A rate in the table stands beside its part of the rate without adapters. Times of the store are
/// medians of one token with each adapter. Exit code 2 for options out of range.
struct BenchAdaptersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapters",
        abstract: "What adapters cost when many are served: decode rate, listing, loading.",
        discussion: """
            Adapters of the batch change all linear maps; those of the store queries and values, and lie below the system's \
            folder for temporary files until it is done (1.8 MB each for SmolLM2-135M).
            """)

    @Argument(help: "A model's name, or a GGUF file.") var model: String
    /// All of them in one batch, so that weights are read once for all.
    @Option(help: "Sequences that decode at once, each with its adapter.") var sequences = 16
    /// Eight is what `mneme adapters train` learns by default.
    @Option(help: "The rank of each adapter.") var rank = 8
    /// Each sequence begins with no prompt.
    @Option(help: "Tokens of an answer.") var answer = 64
    /// Each is written, listed, and asked for one token twice.
    @Option(help: "Adapters of the store; 0 leaves that part out.") var known = 1000
    /// Less than all of them take, so that they are evicted by use.
    @Option(help: "MiB that the store's adapters may take in memory.") var budget = 256
    /// Of decoding, in turns; what else runs on the machine only makes a run slower.
    @Option(help: "Repetitions; the best counts.") var repetitions = 3
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON.") var json = false

    /// Measures in a folder of its own, which is gone afterwards, and prints a table or JSON.
    func run() async throws {
        guard (1...64).contains(sequences), (1...256).contains(rank), (0...100_000).contains(known),
            (1...4096).contains(answer), (1...1_048_576).contains(budget)
        else {
            throw InputError(
                "--sequences is 1 to 64, --rank 1 to 256, --answer 1 to 4096, --known 0 to 100000, --budget 1 to 1048576."
            )
        }
        let model = try Home.languageModel(model, threads: threads)
        var options = AdapterBenchmark.Options()
        (options.sequences, options.rank, options.answer) = (sequences, rank, answer)
        (options.known, options.budget, options.repetitions) = (known, budget << 20, repetitions)
        let folder = NSTemporaryDirectory() + "mneme-adapters-\(ProcessInfo.processInfo.processIdentifier)"
        try Privacy.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let line = ProgressLine()
        defer { line.end() }
        let report = try await AdapterBenchmark.run(model, options, folder: folder) {
            line.show($0, $1, "adapters written and used")
        }
        line.end()
        if json { return print(try OperationTable.encode(report, pretty: true)) }
        show(report)
    }

    /// A table of rates, then sentences on the store.
    private func show(_ report: AdapterBenchmark.Report) {
        let rates = report.rates
        print(
            "\(report.model), \(threads) threads, \(report.sequences) sequences, adapters of rank \(report.rank), \(report.adapterBytes >> 10) KiB each"
        )
        print("decode           tokens/s")
        func row(_ label: String, _ rate: Double) {
            print(label.padded(to: 16) + String(format: "%9.1f  %.2f", rate, rate / rates.none))
        }
        row("no adapter", rates.none)
        row("one for all", rates.one)
        row("one for each", rates.different)
        print("\(rates.equalRows) of \(report.sequences) rows of logits are those of the sequence alone")
        guard let known = report.known else { return }
        print(
            String(
                format: "%d adapters of %.1f MB known: listed in %.1f ms, %d answered", known.count,
                Double(known.fileBytes) / 1e6, known.listSeconds * 1000, known.answered))
        print(
            String(
                format: "a token: %.1f ms without, %.1f ms read from disk, %.1f ms in memory (medians)",
                known.plainSeconds * 1000, known.firstSeconds * 1000, known.nextSeconds * 1000))
        print(
            "in memory at the end: \(known.loaded) adapters, \(known.loadedBytes >> 20) of \(known.budgetBytes >> 20) MiB"
        )
    }
}
