import ArgumentParser
import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeFormats
import MnemeKV
import MnemeModels
import MnemeTrain

extension AdaptersCommand {
    /// `mneme adapters correct`: learns what a model of few bits lost, from the model that it was made of.
    ///
    /// Exit code 1 if it is stopped or the models do not belong together.
    struct Correct: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "correct",
            abstract: "Learn an adapter that corrects a model of two bits.",
            discussion: """
                `mneme models convert MODEL two.gguf --type q2_64` writes the model; by itself it is hardly one. The adapter learns to \
                predict what the original predicts, in texts that the original writes. Then: `mneme chat --model two.gguf --adapter NAME`.
                """)

        @Argument(help: "The adapter's name.") var name: String
        @Option(help: "The model of few bits: a GGUF file.") var model: String
        @Option(help: "The model that it was made of.") var original: String
        @Option(help: "The rank of each low-rank term.") var rank = ErrorCorrection.Settings().rank
        @Option(help: "Steps.") var steps = ErrorCorrection.Settings().steps
        @Option(help: "The highest learning rate.") var learningRate = ErrorCorrection.Settings().learningRate
        @Option(help: "Texts that the original writes.") var texts = ErrorCorrection.Settings().texts
        @Option(help: "The same seed gives the same adapter.") var seed: UInt64 = 1
        @Flag(help: "Replace an adapter of this name.") var replace = false

        func run() async throws {
            try AdapterStore.check(name: name)
            guard replace || !Home.adapters.names().contains(name) else {
                throw AdapterError(.exists, "There is an adapter '\(name)' already. --replace makes it anew.")
            }
            if replace { try Home.adapters.checkReplaceable(name, by: Owner()) }
            let stop = StopSignal()
            let few = try ModelSource(path: Home.languageModelPath(model))
            let whole = try ModelSource(path: Home.languageModelPath(original))
            var settings = ErrorCorrection.Settings()
            (settings.rank, settings.steps, settings.learningRate) = (rank, steps, learningRate)
            (settings.texts, settings.seed) = (texts, seed)
            Terminal.note("The original writes texts; this takes up to some minutes.")
            do {
                let correction = try ErrorCorrection((few, whole), settings: settings) {
                    try stop.check()
                    return true
                }
                let raw = correction.distance(isRaw: true)
                Terminal.note(Self.text("without a correction", raw, correction))
                let line = ProgressLine()
                defer { line.end() }
                while correction.step < steps {
                    try stop.check()
                    try correction.learn()
                    line.show(correction.step, steps, String(format: "from the original %.4f", correction.divergence))
                }
                line.end()
                try await keep(correction, few, raw)
            } catch is CancellationError {
                Terminal.report("Stopped. Nothing was kept.")
                throw ExitCode(1)
            }
        }

        private func keep(
            _ correction: ErrorCorrection, _ few: ModelSource, _ raw: ErrorCorrection.Distance
        ) async throws {
            let after = correction.distance()
            var record = AdapterRecord(
                name: name, base: model.hasSuffix(".gguf") ? URL(fileURLWithPath: model).path : model)
            record.baseHash = try ModelIdentity.hash(few.path, cache: Home.kv + "/models")
            (record.created, record.cube) = (Date(), AdapterRecord.Cube(store: Home.remembered(Home.store)))
            record.training = [
                "steps": Double(steps), "divergence": after.divergence, "firstDivergence": raw.divergence,
                "perplexity": after.perplexity, "firstPerplexity": raw.perplexity,
                "originalPerplexity": correction.originalPerplexity,
            ]
            try Home.adapters.add(correction.adapter, record, replacing: replace)
            try await Home.remember(correction.adapter, record, "adapters correct")
            let size = (try? FileManager.default.attributesOfItem(atPath: few.path)[.size] as? Int) ?? nil
            // As F16, in which an exported adapter has its numbers.
            let more = size.map {
                String(format: ", %.1f %% more bytes", 200 * Double(correction.model.parameterCount) / Double($0))
            }
            print(Terminal.line(Self.text(name, after, correction) + (more ?? "")))
        }

        private static func text(
            _ what: String, _ distance: ErrorCorrection.Distance, _ correction: ErrorCorrection
        ) -> String {
            String(
                format: "%@: %.3f from the original, perplexity %.2f where it has %.2f", what, distance.divergence,
                distance.perplexity, correction.originalPerplexity)
        }
    }
}
