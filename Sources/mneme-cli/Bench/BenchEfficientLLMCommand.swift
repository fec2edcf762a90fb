import ArgumentParser
import Mneme
import MnemeBench

/// `mneme bench efficientllm`: EfficientLLM's six metrics of one or several models on this machine.
///
/// Energy needs the counters of the processor, which virtual machines and users without rights do not see.
struct BenchEfficientLLMCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "efficientllm",
        abstract: "EfficientLLM: memory, compute, latency, throughput, energy and compression of models.")

    @Argument(help: "Names of models, or GGUF files: a row each.") var models: [String]
    @Option(help: "Repetitions; the best counts.") var repetitions = 2
    @Flag(help: "Print JSON.") var json = false

    /// At least one model.
    func validate() throws {
        guard !models.isEmpty else { throw ValidationError("Name a model, such as smollm2.") }
    }

    /// Measures one model after the other.
    func run() async throws {
        let rows = try await MemoryBenchOptions.withLine { line in
            try models.enumerated().map { i, name in
                line.show(i, models.count, name)
                return try EfficiencyBenchmark.run(Home.languageModel(name), repetitions: max(1, min(repetitions, 100)))
            }
        }
        print(json ? try OperationTable.encode(rows, pretty: true) : EfficiencyBenchmark.markdown(rows))
    }
}
