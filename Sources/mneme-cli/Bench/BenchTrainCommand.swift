import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeModels
import MnemeTrain

/// `mneme bench train`: what each optimizer and each way to use memory costs and comes to, for
/// whoever has less memory than a training wants.
///
/// With no model named, a small one of random weights is trained; it takes seconds. With `--out` a
/// run that was stopped goes on where it was. Exit code 2 for a name that is none.
struct BenchTrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train one adapter with each optimizer and each way to use memory: loss, bytes, tokens/s.",
        discussion: """
            One thing at a time is changed beside AdamW, checkpoints, all layers, mapped weights and state in memory; --whole trains every \
            combination. Bytes are counted as they are taken, before the first step; nothing is taken later.
            """)

    @Argument(help: "A model's name, or a GGUF file; a small one of random weights if left out.")
    var model: String?
    @Option(
        help: ArgumentHelp(
            "Optimizers, with commas; all if left out.", valueName: "names"))
    var optimizers: String?
    @Option(
        help: ArgumentHelp(
            "Ways to save tensors, with commas; all if left out: \(SavedTensors.names).",
            valueName: "names"))
    var savedTensors: String?
    @Option(
        help: ArgumentHelp(
            "Ways to gradients, with commas; all if left out: \(LearningRoute.names).",
            valueName: "names"))
    var routes: String?
    @Option(
        help: ArgumentHelp(
            "Places of the base's weights, with commas; all if left out: \(BasePlacement.names).",
            valueName: "names"))
    var placements: String?
    @Option(
        help: ArgumentHelp(
            "Places of the optimizer's state, with commas; all if left out: \(StatePlacement.names).",
            valueName: "names"))
    var optimizerStates: String?
    @Option(help: "Steps of each training.") var steps = 40
    @Option(help: "The highest learning rate; GaLore's is four times as high.")
    var learningRate = 2e-3
    @Option(help: "The rank of each low-rank term.") var rank = 8
    @Option(help: "Threads.") var threads = ProcessInfo.processInfo.activeProcessorCount
    @Option(help: "Of first values and order.") var seed: UInt64 = 1
    @Option(
        help: ArgumentHelp(
            "What is learned instead of made-up facts: text, or .jsonl with prompt and completion.",
            valueName: "file"))
    var file: String?
    @Flag(help: "Train every combination.") var whole = false
    @Option(
        help: ArgumentHelp(
            "Keep rows in a file of JSON as they are measured, and go on from those in it.",
            valueName: "file"))
    var out: String?
    @Flag(help: "Print JSON.") var json = false

    /// Rows, and the settings that they were measured with.
    private struct Report: Codable {
        var model: String
        var steps: Int
        var rank: Int
        var seed: UInt64
        var file: String?
        var rows: [TrainingBenchmark.Row] = []

        func isOf(_ other: Report) -> Bool {
            (model, steps, rank, seed, file) == (other.model, other.steps, other.rank, other.seed, other.file)
        }
    }

    func run() async throws {
        let settings = try settings()
        var report = Report(
            model: model ?? "random", steps: steps, rank: rank, seed: seed, file: file)
        if let known = try earlier(report) { report.rows = known.rows }
        let known = report.rows
        let line = ProgressLine()
        try withSource { source in
            report.rows = try TrainingBenchmark.run(
                source, settings: settings, known: known
            ) { rows, count in
                line.show(rows.count, count, rows.last.map { "\($0.optimizer) \($0.savedTensors)" } ?? "")
                report.rows = rows
                if let out { try AtomicFile.write(try Self.encoder.encode(report), to: out) }
            }
        }
        line.end()
        if json { return print(String(decoding: try Self.encoder.encode(report), as: UTF8.self)) }
        print(TrainingBenchmark.markdown(report.rows))
    }

    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return encoder
    }()

    private func settings() throws -> TrainingBenchmark.Settings {
        var settings = TrainingBenchmark.Settings()
        func names(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }
        if let optimizers {
            settings.optimizers = try names(optimizers).map { name in
                guard let kind = OptimizerKind(rawValue: name) else {
                    throw InputError("'\(name)' is no optimizer; they are \(OptimizerKind.names).")
                }
                return kind
            }
        }
        if let savedTensors { settings.savedTensors = try names(savedTensors).map { try SavedTensors($0) } }
        if let routes { settings.routes = try names(routes).map { try LearningRoute($0) } }
        if let placements {
            settings.placements = try names(placements).map { name in
                guard let placement = BasePlacement(rawValue: name) else {
                    throw InputError("'\(name)' is no placement; they are \(BasePlacement.names).")
                }
                return placement
            }
        }
        if let optimizerStates {
            settings.optimizerStates = try names(optimizerStates).map { name in
                guard let state = StatePlacement(rawValue: name) else {
                    throw InputError("'\(name)' is no place of the state; they are \(StatePlacement.names).")
                }
                return state
            }
        }
        settings.isWhole = whole
        (settings.training.steps, settings.training.learningRate) = (steps, learningRate)
        (settings.training.shape.rank, settings.training.shape.alpha) = (rank, Double(2 * rank))
        settings.training.seed = seed
        settings.threads = max(1, threads)
        if let file { settings.examples = try TrainingExample.read(file) }
        return settings
    }

    /// The rows of a file that an earlier run with these settings wrote.
    private func earlier(_ report: Report) throws -> Report? {
        guard let out, let data = FileManager.default.contents(atPath: out) else { return nil }
        guard let found = try? JSONDecoder().decode(Report.self, from: data), found.isOf(report) else {
            throw InputError(
                "\(out) holds something else than rows with these settings. Name another file, or remove it.")
        }
        return found
    }

    /// Calls `body` with the model, or with one of random weights in a folder that is gone afterwards.
    private func withSource(_ body: (ModelSource) throws -> Void) throws {
        if let model { return try body(try ModelSource(path: Home.languageModelPath(model))) }
        try RandomDecoder.withFolder { try body(try ModelSource(path: $0)) }
    }
}
