import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeEngine

/// `mneme bench locobench-agent`: an agent with tools for files and search, behind which memory stands, in scenarios
/// of software projects; the authors' nine metrics, and whether the files that matter were found and read.
///
/// Exit code 1 if a model is not here, 2 for a scenario or session of another form.
struct BenchLocobenchAgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "locobench-agent",
        abstract: "LoCoBench-Agent: an agent with tools that memory stands behind, in software projects.",
        discussion: """
            Without --model or --oracle a rule acts: it searches, reads what is found and the context files, and writes \
            nothing. Compilers and debuggers are not there. --session scores a session that was recorded before.
            """)

    @Argument(help: "A folder of the published data, or one scenario; a small scenario of our own if left out.")
    var path: String?
    @Option(help: ArgumentHelp("Where projects are, if not beside the scenarios.", valueName: "folder"))
    var projects: String?
    @Option(help: ArgumentHelp("Score a recorded session instead of playing.", valueName: "file"))
    var session: String?
    @Option(help: ArgumentHelp("Keep each session in a folder, as JSON in the authors' form.", valueName: "folder"))
    var keep: String?
    @OptionGroup var options: MemoryBenchOptions

    /// Options that this benchmark has no use for.
    func validate() throws {
        guard !options.noAnswers, !options.closedBook, !options.judge, options.questions == nil else {
            throw ValidationError(
                "--no-answers, --closed-book, --judge and --questions are for questions; here are none.")
        }
        guard session == nil || (path == nil && keep == nil) else {
            throw ValidationError("--session scores one file: it takes neither scenarios nor --keep.")
        }
    }

    /// Plays the scenarios, or scores a session.
    func run() async throws {
        if let session { return try score(session) }
        let asked = try options.openModel()
        defer { asked?.engine?.close() }
        let setup = try options.setup(asked?.oracle)
        let agent: any BenchAgent = asked.map { ModelAgent($0.oracle) } ?? RuleAgent()
        let benchmark = try benchmark(agent, setup)
        // How many steps a model takes is its own choice: only the bound is known.
        if options.estimate {
            return print(
                "\(benchmark.count) scenarios; an agent with a model asks it once a step, 24 steps a turn at most.")
        }
        if let keep { try FileManager.default.createDirectory(atPath: keep, withIntermediateDirectories: true) }
        let log = try BenchLog(options.output, benchmark.header)
        try await MemoryBenchOptions.withLine { line in
            try await benchmark.run(log, keep: write) { line.show($0, benchmark.count, $1) }
        }
        let report = AgentReport(benchmark, log)
        print(
            options.json
                ? try OperationTable.encode(report, pretty: true) : options.markdown ? report.markdown : report.text)
    }

    /// The published data, or the sample.
    private func benchmark(_ agent: any BenchAgent, _ setup: BenchSetup) throws -> AgentBenchmark {
        guard let path else {
            let sample = try AgentScenario.ownSample()
            let data = try MemoryBenchOptions.data(nil, sample: AgentScenario.sample, name: "locobench-agent")
            return AgentBenchmark([sample], data, agent, setup)
        }
        let dataset = try AgentDataset(path, projects: projects)
        let name = URL(fileURLWithPath: path).lastPathComponent
        let data = BenchData(path: path, name: name, digest: MemoryBenchOptions.digest(of: dataset.scenarios))
        return AgentBenchmark(dataset, data, agent, setup)
    }

    /// Writes a session to the folder of `--keep`, under its scenario's name.
    private func write(_ session: AgentSession) throws {
        guard let keep else { return }
        // An id comes from a file: it names no other folder.
        let name = session.scenario.map { $0.isLetter || $0.isNumber || "_-.".contains($0) ? $0 : "_" }
        let text = try OperationTable.encode(session.json, pretty: true)
        try AtomicFile.write(Data((text + "\n").utf8), to: keep + "/" + String(name).suffix(120) + ".json", mode: 0o644)
    }

    /// The authors' metrics of a recorded session.
    private func score(_ file: String) throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw InputError("\(file) cannot be read. Does it exist?")
        }
        let metrics = AgentMetrics.all(try AgentSession(JSONValue(parsing: [UInt8](data))))
        if options.json { return print(try OperationTable.encode(metrics, pretty: true)) }
        let names = AgentMetrics.comprehension + AgentMetrics.efficiency + AgentMetrics.means
        if options.markdown { print("| metric | value |\n|---|---:|") }
        for name in names {
            let value = String(format: "%.3f", metrics[name] ?? 0)
            print(options.markdown ? "| \(name) | \(value) |" : name.padded(to: 34) + value)
        }
    }
}
