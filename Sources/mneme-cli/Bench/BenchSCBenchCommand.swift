import ArgumentParser
import Foundation
import Mneme
import MnemeBench
import MnemeEngine
import MnemeKV
import MnemeModels

/// `mneme bench scbench`: many requests of one long context, as a conversation and alone, answered from what policies,
/// codecs and selectors keep of the KV cache; the score by turn, bytes, and the time to the first token with and
/// without what was computed before.
///
/// Exit code 1 if the model is not here, 2 for a file of another form, or a name that there is not.
struct BenchSCBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scbench",
        abstract: "SCBench: many requests of one long context, from a part of the KV cache.",
        discussion: """
            Without a file, contexts of our own are generated from --seed. Policies: \
            \(PolicyCatalog.names.joined(separator: ", ")). Row types: \
            \(KVCodec.allCases.map(\.rawValue).joined(separator: ", ")), alone or behind a policy: snapkv+int4.
            """)

    @Argument(help: "A file of the published data as JSON lines; contexts of our own if left out.") var file: String?
    @OptionGroup var language: LanguageModelOptions
    /// One of SCBench's tasks: the published files are named after theirs.
    @Option(help: ArgumentHelp("The task of the file, if its name does not say it.", valueName: "name"))
    var task: String?
    @Option(
        name: .customLong("policy"), parsing: .upToNextOption, help: "Policies and row types; full is always there.")
    var policies: [String] = []
    @Flag(help: "Measure every policy and every type of rows.") var all = false
    /// A row each and policy; codecs alone have none.
    @Option(
        name: .customLong("budget"), parsing: .upToNextOption,
        help: "Shares of a prompt's KV rows that may be kept.") var budgets = [0.25]
    @Option(parsing: .upToNextOption, help: "multi-turn, multi-request or both.") var mode: [String] = []
    @Option(name: .customLong("prompt"), help: "Tokens of a prompt with its requests at most.") var promptTokens = 4096
    @Option(help: "Requests of a context at most.") var turns = 5
    @Option(help: "Contexts at most; of our own, contexts of each task.") var contexts: Int?
    @Option(help: "Bytes of a context of our own, about.") var size = 4096
    @Option(help: "Seed of contexts of our own, and of intervals.") var seed: UInt64 = 1
    @Option(help: ArgumentHelp("Keep results in a file; a later run goes on from it.", valueName: "file"))
    var output: String?
    @Flag(help: "Print JSON.") var json = false

    /// Refuses counts that make no sense.
    func validate() throws {
        guard (1...1000).contains(turns), contexts ?? 1 > 0, (256...1 << 24).contains(size) else {
            throw ValidationError(
                "--turns lies between 1 and 1000, --size between 256 and 16777216; --contexts is 1 at least.")
        }
    }

    /// Computes each context once a mode, and asks all subjects.
    func run() async throws {
        let model = try language.open()
        let (records, data) = try loaded(model)
        var settings = SharedContextBenchmark.Settings()
        settings.subjects = try subjects()
        (settings.budgets, settings.turns, settings.seed) = (budgets, turns, seed)
        settings.context = min(promptTokens, model.decoder.configuration.contextLength)
        if !mode.isEmpty {
            settings.modes = try mode.map { name in
                guard let mode = SharedContextBenchmark.Mode(rawValue: name) else {
                    throw InputError("There is no mode '\(name.prefix(40))': multi-turn and multi-request are.")
                }
                return mode
            }
        }
        let benchmark = try SharedContextBenchmark(model, records, data, settings)
        let log = try BenchLog(output, benchmark.header)
        let start = ContinuousClock.now
        // Measurements that were there took no time.
        let before = log.outcomes.count
        try await MemoryBenchOptions.withLine { line in
            try benchmark.run(log) { done, what in
                let measured = Double(max(1, done - before))
                let left = (ContinuousClock.now - start) / .seconds(1) / measured * Double(benchmark.count - done)
                line.show(done, benchmark.count, "\(what), about \(EvalCommand.time(left)) left")
            }
        }
        let report = SharedContextReport(benchmark, log)
        print(json ? try OperationTable.encode(report, pretty: true) : report.markdown)
    }

    /// The file's contexts, or some of our own.
    private func loaded(_ model: LanguageModel) throws -> ([SharedContext], BenchData) {
        if let file {
            let named = try task.map { name in
                guard let task = SharedContextTask(name: name) else {
                    let names = SharedContextTask.allCases.map(\.rawValue).joined(separator: ", ")
                    throw InputError("There is no task '\(name.prefix(40))'. There are \(names).")
                }
                return task
            }
            return (
                try SharedContext.read(file, task: named, limit: contexts ?? .max),
                try MemoryBenchOptions.data(file, sample: "", name: "scbench")
            )
        }
        var sample = SharedContextSample()
        (sample.bytes, sample.turns, sample.contexts, sample.seed) = (size, turns, contexts ?? 1, seed)
        // What decides the contexts is what names them.
        let name = "size \(size), turns \(turns), contexts \(contexts ?? 1), seed \(seed)"
        return (sample.records(), try MemoryBenchOptions.data(nil, sample: name, name: "scbench"))
    }

    /// What is measured beside `full`.
    private func subjects() throws -> [KVPolicyBenchmark.Subject] {
        let everything = PolicyCatalog.names + KVCodec.allCases.map(\.rawValue).dropFirst()
        let names = (all ? everything : []) + policies
        return try names.map { try KVPolicyBenchmark.Subject($0) }
    }
}
