import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeBench
import MnemeModels
import MnemeTrain

/// `mneme bench energy`: one training with products in float32 and in bfloat16, over several seeds: joules,
/// losses, and whether they differ by more than chance.
///
/// Exit code 2 on processors without products of bfloat16 (AMX).
struct BenchEnergyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "energy",
        abstract: "Train in float32 and in mixed precision over several seeds: joules, losses, and a test of both.",
        discussion: """
            Joules are the processor's count (RAPL) where it may be read; else they are computed from products and bytes, and \
            said to be. Losses are of examples that are held out. Products of bfloat16 need a processor with AMX.
            """)

    @Argument(help: "A model's name, or a GGUF file; a small one of random weights if left out.")
    var model: String?
    @Option(help: "Seeds, each trained both ways.") var seeds = 5
    @Option(help: "Steps of each training.") var steps = 40
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        guard (2...1000).contains(seeds) else { throw InputError("--seeds is 2 to 1000.") }
        var settings = TrainingSettings()
        (settings.steps, settings.keep) = (steps, nil)
        try settings.check()
        let line = ProgressLine()
        var done = 0
        let report = try withSource { source in
            try TrainingEnergy.run(
                source, settings: settings, seeds: (1...UInt64(seeds)).map { $0 }
            ) { _ in
                done += 1
                line.show(done, 2 * seeds, "")
            }
        }
        line.end()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            return print(String(decoding: try encoder.encode(report), as: UTF8.self))
        }
        print("format  joules  loss, held out")
        for precision in [TrainingPrecision.f32, .bf16] {
            let runs = report.runs.filter { $0.precision == precision }
            func mean(_ value: (TrainingEnergy.Run) -> Double) -> Double {
                runs.reduce(0) { $0 + value($1) } / Double(runs.count)
            }
            let joules = mean { report.isMeasured ? $0.measuredJoules ?? 0 : $0.modelledJoules }
            let name = precision.rawValue.padding(toLength: 6, withPad: " ", startingAt: 0)
            print(name + String(format: "  %6.3g  %.4f", joules, mean(\.heldOutLoss)))
        }
        print(report.isMeasured ? "Joules as the processor counted them." : "Joules are modelled, not measured.")
        print(Self.line("joules", report.joules))
        print(Self.line("loss", report.loss))
    }

    private static func line(_ name: String, _ test: PairedTest) -> String {
        name + String(format: ": bfloat16 less float32 %.4g, t %.2f, p %.3g", test.difference, test.t, test.p)
    }

    private func withSource(_ body: (ModelSource) throws -> TrainingEnergy.Report) throws -> TrainingEnergy.Report {
        if let model { return try body(try ModelSource(path: Home.languageModelPath(model))) }
        return try RandomDecoder.withFolder { try body(try ModelSource(path: $0)) }
    }
}
