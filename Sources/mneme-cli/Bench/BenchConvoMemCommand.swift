import ArgumentParser
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine

/// `mneme bench convomem`: ConvoMem's six kinds of questions; with `--sizes` where recall becomes worth as
/// much as reading the whole history, and a router that switches there.
///
/// Exit code 1 if a model is not here, 2 for a file of another form.
struct BenchConvoMemCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convomem",
        abstract: "ConvoMem: six kinds of questions, and the crossover from full context to recall.")

    @Argument(help: "A file of evidence or of test cases; a sample if left out.") var file: String?
    /// Numbers of conversations that each question's own are mixed up to.
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Compare the whole history with recall at these numbers of conversations, such as 2 4 10 30.",
            valueName: "numbers"))
    var sizes: [Int] = []
    /// What a thousand tokens cost, in points of an answer.
    @Option(help: ArgumentHelp("With --sizes: points of an answer that 1,000 tokens cost.", valueName: "points"))
    var price = 0.01
    @OptionGroup var options: MemoryBenchOptions

    /// Sizes and a price that make sense.
    func validate() throws {
        guard sizes.allSatisfy({ (1...100_000).contains($0) }), price >= 0, price.isFinite else {
            throw ValidationError("--sizes are numbers of conversations, and --price is not negative.")
        }
        guard sizes.isEmpty || !options.noAnswers else {
            throw ValidationError("--sizes compares answers: leave --no-answers out.")
        }
    }

    /// Runs the format, or the comparison.
    func run() async throws {
        guard !sizes.isEmpty else { return try await options.run(.convoMem, file: file) }
        let asked = try options.openModel()
        defer { asked?.engine?.close() }
        var setup = try options.setup(asked?.oracle)
        // The rules of ask read all memories: they would answer the same by either route.
        if asked == nil { setup.answerer = ExtractiveAnswerer(usesAsk: false) }
        let runner = BenchRunner(.convoMem, try MemoryBenchOptions.data(file, .convoMem), setup)
        let benchmark = CrossoverBenchmark(runner, sizes: Array(Set(sizes)).sorted(), price: price)
        let report = try await MemoryBenchOptions.withLine { line in
            try await benchmark.run { line.show($0, $1, "questions") }
        }
        print(options.json ? try OperationTable.encode(report, pretty: true) : report.markdown)
    }
}
