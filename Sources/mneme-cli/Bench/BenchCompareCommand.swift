import ArgumentParser
import Mneme
import MnemeBench

/// `mneme bench compare`: two runs of one benchmark on the same data, by what `--output` kept of them.
///
/// Exit code 2 for files of different benchmarks or data.
struct BenchCompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare two runs that --output kept: differences with intervals, and whether they are chance.")

    @Argument(help: "The results of one run.") var first: String
    @Argument(help: "The results of the other.") var second: String
    @Flag(help: "Print JSON.") var json = false

    /// Prints a row for each score.
    func run() async throws {
        let comparison = try BenchComparison(first, second)
        print(json ? try OperationTable.encode(comparison, pretty: true) : comparison.markdown)
    }
}
