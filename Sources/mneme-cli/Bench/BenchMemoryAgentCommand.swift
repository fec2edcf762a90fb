import ArgumentParser
import MnemeBench

/// `mneme bench memoryagentbench`: accurate retrieval, test-time learning, long-range understanding and
/// conflict resolution, over texts that are fed chunk by chunk.
///
/// Exit code 1 if a model is not here, 2 for a file of another form.
struct BenchMemoryAgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memoryagentbench",
        abstract: "MemoryAgentBench: four competencies over texts fed chunk by chunk.")

    @Argument(help: "A split of the data set as JSON lines, see docs/benches.md; a sample if left out.") var file:
        String?
    @OptionGroup var options: MemoryBenchOptions

    /// Runs the format.
    func run() async throws { try await options.run(.memoryAgentBench, file: file) }
}
