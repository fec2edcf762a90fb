import ArgumentParser
import Mneme
import MnemeBench
import MnemeEngine

/// `mneme bench globalqa`: counting, extremes, sorting and top-k over a whole collection, by `ask` and by
/// top-k recall on the same memories.
///
/// Exit code 1 if a model is not here, 2 for a file of another form.
struct BenchGlobalQACommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "globalqa",
        abstract: "GlobalQA: counting, extremes, sorting and top-k over all memories, ask beside recall.")

    @Argument(help: "Corpus and questions in one JSON object, see docs/benches.md; a sample if left out.")
    var file: String?
    @OptionGroup var options: MemoryBenchOptions

    /// Asks both systems.
    func run() async throws {
        let asked = try options.openModel()
        defer { asked?.engine?.close() }
        var setup = try options.setup(asked?.oracle)
        // Behind recall its rules would count over all memories as well.
        if asked == nil { setup.answerer = ExtractiveAnswerer(usesAsk: false) }
        let runner = BenchRunner(.globalQA, try MemoryBenchOptions.data(file, .globalQA), setup)
        let report = try await MemoryBenchOptions.withLine { line in
            try await GlobalBenchmark(runner).run { line.show($0, 0, "questions") }
        }
        print(options.json ? try OperationTable.encode(report, pretty: true) : report.markdown)
    }
}
