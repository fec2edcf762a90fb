import Foundation
public import MnemeModels
import MnemeNumerics
public import MnemeTrain

/// What a training takes of energy with products in float32, and in bfloat16 with sums in float32, and
/// whether that changes what is learned (Yusuf et al. 2024) [9].
///
/// Joules are the processor's own count where it may be read, and else a model's: products and bytes of
/// memory by what each takes in a circuit. A model's joules tell what the arithmetic alone would save.
public enum TrainingEnergy {
    /// Joules of one product and sum, and of a byte from memory (Horowitz 2014, at 45 nm: products of 3.7 and
    /// 1.1 pJ, sums of 0.9 pJ, 1.3 nJ and more for eight bytes).
    public static let jouleOf32Bits = 4.6e-12, jouleOf16Bits = 2.0e-12, jouleOfByte = 160e-12

    /// One training.
    public struct Run: Sendable, Codable, Equatable {
        /// The number format of products with frozen weights.
        public var precision: TrainingPrecision
        /// Of first values and order.
        public var seed: UInt64
        /// The loss of examples that were not learned.
        public var heldOutLoss: Double
        /// Joules as the processor counted them; nil where it does not.
        public var measuredJoules: Double?
        /// Joules by the model.
        public var modelledJoules: Double
        /// Seconds of all steps.
        public var seconds: Double
    }

    /// All trainings, and what came of comparing them.
    public struct Report: Sendable, Codable, Equatable {
        /// Each seed in each format.
        public internal(set) var runs: [Run] = []
        /// True if joules were counted by the processor.
        public internal(set) var isMeasured = false
        /// bfloat16 less float32, of the same seeds: joules, and losses.
        public internal(set) var joules: PairedTest, loss: PairedTest
    }

    /// Trains with each seed in each format.
    ///
    /// - Parameters:
    ///   - settings: of each training, but for seed and format.
    ///   - seeds: at least two.
    ///   - didFinish: called behind each training.
    /// - Throws: `TrainingError` for processors without products of bfloat16; `ModelError`, `FileError`.
    public static func run(
        _ source: ModelSource, settings: TrainingSettings, seeds: [UInt64],
        didFinish: (Run) -> Void = { _ in }
    ) throws -> Report {
        guard seeds.count > 1 else {
            throw TrainingError(.invalidSetting, "Two seeds or more are compared. Name a higher --seeds.")
        }
        var runs: [Run] = []
        for seed in seeds {
            // In turn, so that a machine that grows warm is not one format's alone.
            for precision in [TrainingPrecision.f32, .bf16] {
                runs.append(try run(source, settings, (precision, seed)))
                didFinish(runs[runs.count - 1])
            }
        }
        let isMeasured = runs.allSatisfy { $0.measuredJoules != nil }
        func differences(_ value: (Run) -> Double) -> PairedTest {
            PairedTest(seeds.indices.map { value(runs[2 * $0 + 1]) - value(runs[2 * $0]) })
        }
        return Report(
            runs: runs, isMeasured: isMeasured,
            joules: differences { isMeasured ? $0.measuredJoules ?? 0 : $0.modelledJoules },
            loss: differences(\.heldOutLoss))
    }

    private static func run(
        _ source: ModelSource, _ settings: TrainingSettings,
        _ which: (precision: TrainingPrecision, seed: UInt64)
    ) throws -> Run {
        var settings = settings
        (settings.precision, settings.seed) = (which.precision, which.seed)
        let trainer = try AdapterTrainer(
            source, base: "", examples: TrainingBenchmark.examples, settings: settings, checkpoint: "")
        let meter = EnergyMeter()
        while !trainer.isDone { try trainer.step() }
        guard let loss = trainer.progress.heldOutLoss else {
            throw TrainingError(
                .emptySelection, "No example is held out, so that losses cannot be compared. Name more of them.")
        }
        return Run(
            precision: which.precision, seed: which.seed, heldOutLoss: loss, measuredJoules: meter?.joules,
            modelledJoules: modelled(
                trainer.model.configuration, tokens: Double(trainer.progress.tokens),
                steps: Double(trainer.progress.step),
                which.precision),
            seconds: trainer.progress.seconds)
    }

    /// Joules of steps over so many tokens: frozen weights are multiplied in both passes and once more
    /// where values are computed again; attention is in float32 always; each step reads the weights in four
    /// or two bytes a number, three times.
    static func modelled(
        _ c: DecoderConfiguration, tokens: Double, steps: Double, _ precision: TrainingPrecision
    ) -> Double {
        let (hidden, wide) = (Double(c.hiddenSize), Double(c.intermediateSize))
        let queries = Double(c.heads * c.headDimension)
        let layer = 2 * queries * hidden + 2 * Double(c.kvSize) * hidden + 3 * hidden * wide
        let weights = Double(c.layers) * layer + Double(c.vocabularySize) * hidden
        let perToken = 3 * weights
        let length = tokens / max(1, steps)
        let attention = Double(c.layers) * 4 * queries * length / 2 * tokens
        let isHalf = precision == .bf16
        return perToken * tokens * (isHalf ? jouleOf16Bits : jouleOf32Bits) + attention * jouleOf32Bits
            + 3 * weights * (isHalf ? 2 : 4) * steps * jouleOfByte
    }
}
