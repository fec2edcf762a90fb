import ArgumentParser
import Foundation
import Mneme
import MnemeBench
import MnemeEngine

/// `mneme bench evo-memory`: success along a stream of tasks, for each way to keep experiences: none, the
/// last ones, ExpRAG, ReMem, and this project's cases (`mneme learn`).
///
/// Exit code 1 if a model is not here, 2 for a file of another form.
struct BenchEvoMemoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evo-memory",
        abstract: "Evo-Memory: success along a stream of tasks with ExpRAG, ReMem and learned cases.")

    @Argument(help: "Tasks as JSON lines: input, target and, where there is a choice, options; a sample if left out.")
    var file: String?
    @OptionGroup var options: MemoryBenchOptions

    /// Plays the stream to each module.
    func run() async throws {
        let asked = try options.openModel()
        defer { asked?.engine?.close() }
        let setup = try options.setup(asked?.oracle)
        let data = try MemoryBenchOptions.data(file, sample: EvoMemoryBenchmark.sample, name: "evo-memory")
        let records =
            try file.map { try JSONRecords(path: $0) } ?? JSONRecords(EvoMemoryBenchmark.sample, name: data.name)
        let tasks = try EvoMemoryBenchmark.tasks(records, limit: options.episodes ?? .max)
        let benchmark = try EvoMemoryBenchmark(tasks, setup, data)
        let report = try await MemoryBenchOptions.withLine { line in
            try await benchmark.run { line.show($0, $1, "tasks of all modules") }
        }
        print(options.json ? try OperationTable.encode(report, pretty: true) : report.markdown)
    }
}
