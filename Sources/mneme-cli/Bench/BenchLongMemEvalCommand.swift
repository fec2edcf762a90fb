import ArgumentParser
import MnemeBench

/// `mneme bench longmemeval`: LongMemEval's five abilities, with recall of marked turns and sessions.
///
/// Exit code 1 if a model is not here, 2 for a file of another form.
struct BenchLongMemEvalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "longmemeval",
        abstract: "LongMemEval: five abilities over chats, with abstention, by turns and sessions.")

    @Argument(help: "longmemeval_s.json or another file of the data set; a sample if left out.") var file: String?
    @OptionGroup var options: MemoryBenchOptions

    /// Runs the format.
    func run() async throws { try await options.run(.longMemEval, file: file) }
}
