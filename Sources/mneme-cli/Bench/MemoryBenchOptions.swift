import ArgumentParser
import Crypto
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeChat
import MnemeEngine

/// Options of the benchmarks that feed histories to memory and ask: recipe and embedder, what answers, how
/// much is played, and where results go.
struct MemoryBenchOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How memory works, see `mneme recipes`.", valueName: "name")) var recipe = "standard"
    /// The embedding model by its name; the setting `embedder` if left out.
    @Option(
        help: ArgumentHelp(
            "The embedding model, as for `mneme recall`; none recalls by words alone.", valueName: "name"))
    var embedder: String?
    @Flag(help: "Recall by words alone; needs no model.") var noEmbedder = false
    @Option(help: ArgumentHelp("Memories recalled for a question.", valueName: "number")) var memories = 10

    /// The model that answers; without one answers are sentences of memories.
    @Option(
        help: ArgumentHelp(
            "Answer with a language model that runs here, such as smollm2; without one answers are sentences of memories.",
            valueName: "name"))
    var model: String?
    @OptionGroup var oracle: OracleOptions
    @Flag(help: "Measure recall alone.") var noAnswers = false
    @Flag(help: "Give the model no memories: what it knows by itself.") var closedBook = false
    @Flag(help: "Have the model judge answers, where the format's authors have one do so.") var judge = false

    @Option(help: ArgumentHelp("Histories that are played at most.", valueName: "number")) var episodes: Int?
    @Option(help: ArgumentHelp("Questions asked of each history at most.", valueName: "number")) var questions: Int?
    @Option(help: ArgumentHelp("Seed of the intervals.", valueName: "number")) var seed: UInt64 = 1
    @Option(
        help: ArgumentHelp(
            "Keep results in a file as they come; a run that was ended goes on where it stopped.", valueName: "file"))
    var output: String?
    @Flag(help: "Say what the run would take, and end.") var estimate = false
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Print Markdown.") var markdown = false

    /// Options that contradict each other, and numbers out of bounds.
    func validate() throws {
        guard (1...1000).contains(memories) else { throw ValidationError("--memories lies between 1 and 1000.") }
        guard episodes ?? 1 > 0, questions ?? 1 > 0 else {
            throw ValidationError("--episodes and --questions are at least 1.")
        }
        guard !json || !markdown else { throw ValidationError("--json and --markdown exclude each other.") }
        guard embedder == nil || !noEmbedder else {
            throw ValidationError("--embedder and --no-embedder exclude each other.")
        }
        guard model == nil || oracle.oracle == nil else {
            throw ValidationError("--model and --oracle exclude each other: one model answers.")
        }
        guard !noAnswers || !(closedBook || judge) else {
            throw ValidationError("--no-answers leaves nothing for --closed-book and --judge.")
        }
    }

    /// The embedding model; nil where words alone decide.
    ///
    /// - Throws: `ModelError` if it is not here.
    func openEmbedder() throws -> (any TextEmbedder)? {
        let name = noEmbedder ? "none" : embedder ?? Settings.current.text(.embedder) ?? "minilm"
        return name == "none" ? nil : try Home.embedder(name)
    }

    /// The model that is asked, with what has to be closed afterwards; nil where none is named.
    ///
    /// - Throws: `ModelError`, `KVError`, `InputError`.
    func openModel() throws -> (oracle: MeteredOracle, engine: Engine?)? {
        if let model {
            let language = try Home.languageModel(model)
            let engine = try Engine(language)
            return (MeteredOracle(EngineOracle(language, engine)), engine)
        }
        return try oracle.remote().map { (MeteredOracle($0), nil) }
    }

    /// What the benchmark is run with.
    ///
    /// - Throws: as ``openEmbedder()``, and `InputError` where a model is needed and none named.
    func setup(_ oracle: MeteredOracle?) throws -> BenchSetup {
        var setup = BenchSetup()
        setup.recipe = try RecipeOption.recipe(recipe)
        setup.embedder = try openEmbedder()
        (setup.limit, setup.seed) = (memories, seed)
        (setup.episodes, setup.questions) = (episodes ?? .max, questions ?? .max)
        setup.oracle = oracle
        guard oracle != nil || !(closedBook || judge) else {
            throw InputError("--closed-book and --judge need a model: --model or --oracle.")
        }
        if !noAnswers {
            setup.answerer = oracle.map { ModelAnswerer($0, isClosedBook: closedBook) } ?? ExtractiveAnswerer()
        }
        if judge { setup.judge = oracle.map { BenchJudge($0) } }
        return setup
    }

    /// A file, or the format's sample where none is named.
    ///
    /// - Throws: `InputError` if the file cannot be read.
    static func data(_ file: String?, _ format: BenchFormat) throws -> BenchData {
        try data(file, sample: format.sample, name: format.name)
    }

    /// As ``data(_:_:)``, of a sample by its name.
    static func data(_ file: String?, sample: String, name: String) throws -> BenchData {
        guard let file else {
            return BenchData(path: nil, name: "\(name)-sample", digest: digest([Data(sample.utf8)]))
        }
        guard let handle = FileHandle(forReadingAtPath: file) else {
            throw InputError("\(file) cannot be read. Does it exist?")
        }
        var pieces = 0
        let bytes = AnyIterator<Data> {
            pieces += 1
            return (try? handle.read(upToCount: 1 << 20)).flatMap { $0.isEmpty ? nil : $0 }
        }
        return BenchData(path: file, name: (file as NSString).lastPathComponent, digest: digest(bytes))
    }

    /// The first digits of the SHA-256 of all these files, one behind the other; one that cannot be read counts as
    /// empty, and is refused when it is played.
    static func digest(of files: [String]) -> String {
        digest(files.lazy.map { FileManager.default.contents(atPath: $0) ?? Data() })
    }

    /// The first digits of the SHA-256 of data that comes in pieces.
    private static func digest(_ pieces: some Sequence<Data>) -> String {
        var hash = SHA256()
        for piece in pieces { hash.update(data: piece) }
        return hash.finalize().prefix(8).map { String(format: "%02x", $0) }.joined()
    }

    /// Does work with a progress bar, which is taken away whatever comes of it.
    ///
    /// - Throws: what the work throws.
    static func withLine<Result>(_ work: (ProgressLine) async throws -> Result) async throws -> Result {
        let line = ProgressLine()
        defer { line.end() }
        return try await work(line)
    }

    /// Runs a format on a file or its sample, and prints the card.
    ///
    /// - Throws: what the run throws; what is done by then is in the file of `--output`.
    func run(_ format: BenchFormat, file: String?) async throws {
        let data = try Self.data(file, format)
        let asked = try openModel()
        defer { asked?.engine?.close() }
        let runner = BenchRunner(format, data, try setup(asked?.oracle))
        let log = try BenchLog(output, runner.header)
        let estimate = try await BenchEstimate(runner)
        if self.estimate { return print(json ? try OperationTable.encode(estimate, pretty: true) : estimate.text) }
        if file != nil || asked != nil { Terminal.note("\(data.name): \(estimate.text)") }
        let start = ContinuousClock.now
        let before = log.outcomes.count
        try await Self.withLine { line in
            try await runner.run(log) { done, what in
                let share = Double(done - before) / Double(max(1, estimate.questions - before))
                let left = (ContinuousClock.now - start) / .seconds(1) * (1 - share) / max(share, 1e-3)
                let ahead = done > before ? ", about \(EvalCommand.time(left)) left" : ""
                line.show(done, estimate.questions, what + ahead)
            }
        }
        let report = BenchReport(runner, log)
        print(json ? try OperationTable.encode(report, pretty: true) : markdown ? report.markdown : report.text)
    }
}
