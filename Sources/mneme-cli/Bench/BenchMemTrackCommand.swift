import ArgumentParser
import MnemeBench

/// `mneme bench memtrack`: Correctness, Efficiency and Redundancy over interleaved timelines of several
/// platforms.
///
/// Exit code 1 if a model is not here, 2 for a file of another form.
struct BenchMemTrackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memtrack",
        abstract: "MEMTRACK: Correctness, Efficiency and Redundancy over Slack, Linear and Git timelines.")

    @Argument(help: "A JSON list of timelines, see docs/benches.md; a sample if left out.") var file: String?
    @OptionGroup var options: MemoryBenchOptions

    /// Runs the format.
    func run() async throws { try await options.run(.memTrack, file: file) }
}
