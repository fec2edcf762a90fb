import Foundation
import MnemeBase
public import MnemeModels
public import MnemeNumerics

/// Corrects what a model lost when its weights were given few bits: learns low-rank terms beside them so that it
/// predicts what the original predicts (low-rank error correction, INT2.1, Chai et al. 2023) [46].
///
/// The original writes the texts itself (LLM-QAT, Liu et al. 2023), so that nobody has to bring some. The loss is
/// KL(original || model) over their tokens; both models' weights are read from their files as they are needed.
public final class ErrorCorrection {
    /// How it learns.
    public struct Settings: Sendable, Equatable {
        /// The rank of the terms: bytes beside the model are in proportion.
        public var rank = 4
        /// Steps, and the highest learning rate.
        public var steps = 200, learningRate = 1e-3
        /// Texts that the original writes, tokens of each, and texts of a step.
        public var texts = 192, tokens = 96, perStep = 6
        /// Of the texts, the first values and the order.
        public var seed: UInt64 = 1

        /// Two hundred steps of some six hundred tokens.
        public init() {}
    }

    /// How far the model is from its original, in texts that it has not learned from.
    public struct Distance: Sendable, Equatable, Codable {
        /// The mean KL(original || model) of a token.
        public var divergence = 0.0
        /// exp of the mean -ln p of the original's own tokens.
        public var perplexity = 0.0
    }

    /// Texts that are held out.
    private static let heldOut = 16

    /// The model with few bits, and the terms.
    public let model: AdapterModel
    /// Steps done, and the last one's divergence.
    public private(set) var step = 0, divergence = 0.0
    /// The original's perplexity in the texts that are held out.
    public let originalPerplexity: Double
    private let settings: Settings
    private let shape: AdapterShape
    private let original: AdapterModel
    private let texts: [ExampleEncoder.Sequence], held: [ExampleEncoder.Sequence]
    private var optimizer: any TrainingOptimizer

    /// - Parameters:
    ///   - models: the model with few bits, and the one that it was made of.
    ///   - settings: how it learns.
    ///   - pool: threads that share a step.
    ///   - writes: asked while the original writes; what it throws ends it.
    /// - Throws: ``TrainingError`` for models that are not of one shape, and for settings out of range; `ModelError`.
    public init(
        _ models: (few: ModelSource, original: ModelSource), settings: Settings, pool: ThreadPool = .shared,
        writes: @escaping () throws -> Bool = { true }
    ) throws {
        let (source, original) = models
        guard settings.steps >= 1, settings.perStep >= 1, settings.tokens >= 8,
            settings.texts > Self.heldOut + settings.perStep, settings.learningRate > 0
        else {
            throw TrainingError(
                .invalidSetting,
                "A correction has steps, a learning rate above 0, and more than \(Self.heldOut) texts of eight tokens.")
        }
        let (few, all) = (try source.configuration(), try original.configuration())
        guard few.architecture == all.architecture, few.layers == all.layers, few.hiddenSize == all.hiddenSize,
            few.vocabularySize == all.vocabularySize, few.intermediateSize == all.intermediateSize
        else {
            throw TrainingError(
                .wrongBase, "\(source.path) was not made of \(original.path): their shapes differ.")
        }
        self.settings = settings
        var shape = AdapterShape()
        (shape.rank, shape.alpha) = (settings.rank, Double(2 * settings.rank))
        self.shape = shape
        var writer = try BaseWriter(original, pool: pool)
        writer.goesOn = writes
        let written = try writer.write(count: settings.texts, tokens: settings.tokens, seed: settings.seed)
        // Plain texts come first, questions behind them: both are held out.
        let every = max(2, written.count / Self.heldOut)
        held = written.enumerated().filter { $0.offset % every == 0 }.map(\.element)
        texts = written.enumerated().filter { $0.offset % every != 0 }.map(\.element)
        guard texts.count >= settings.perStep else {
            throw TrainingError(.emptySelection, "\(original.path) wrote too few texts.")
        }
        let longest = written.map(\.tokens.count).max() ?? 0
        func model(_ source: ModelSource, _ shape: AdapterShape) throws -> AdapterModel {
            try AdapterModel(
                source, shape: shape, batchTokens: longest * settings.perStep,
                keptTokens: longest * settings.perStep, seed: settings.seed, pool: pool)
        }
        self.model = try model(source, shape)
        // Its terms stay zero: it only reads.
        var least = AdapterShape()
        (least.rank, least.targets) = (1, [LayerLinear.query.peftName])
        self.original = try model(original, least)
        optimizer = OptimizerKind.adamw.make(self.model.parameters.matrices)
        originalPerplexity = Self.perplexity(self.original, held)
    }

    /// The terms that were learned so far.
    public var adapter: Adapter { model.parameters.adapter(shape, model.configuration) }

    /// One step over some of the texts; each comes once in a round through all.
    ///
    /// - Throws: ``TrainingError`` if the numbers diverge.
    public func learn() throws {
        var batch = TrainingBatch()
        for place in step * settings.perStep..<(step + 1) * settings.perStep {
            var generator = SplitMix64(
                seed: SplitMix64.mixed(settings.seed &+ UInt64(place / texts.count) &+ 0x6c_72_65_63))
            let text = texts[texts.indices.shuffled(using: &generator)[place % texts.count]]
            batch.keep(text.tokens, promptTokens: 1)
        }
        let base = original.baseStates(batch)
        model.parameters.clearGradients()
        let rows = Double(max(1, batch.kept.count))
        let sums = model.addGradient(batch, weight: 0, keeping: base, keptWeight: Float(1 / rows))
        let norm = model.parameters.gradientNorm
        guard sums.divergence.isFinite, norm.isFinite else {
            throw TrainingError(
                .diverged,
                "The distance is no number any more at step \(step + 1). Correct with a lower --learning-rate.")
        }
        var schedule = TrainingSettings()
        schedule.learningRate = settings.learningRate
        optimizer.step(
            model.parameters.values.pointer, gradients: model.parameters.gradients.pointer,
            scale: Float(min(1, 1 / (norm + 1e-6))), rate: Float(schedule.rate(step, of: settings.steps)), decay: 0)
        step += 1
        divergence = sums.divergence / rows
    }

    /// How far the model is from its original now.
    ///
    /// - Parameter isRaw: without the terms.
    public func distance(isRaw: Bool = false) -> Distance {
        model.parameters.isOff = isRaw
        defer { model.parameters.isOff = false }
        var (sum, rows) = (0.0, 0)
        for text in held {
            var batch = TrainingBatch()
            batch.keep(text.tokens, promptTokens: 1)
            sum += model.divergence(batch, from: original.baseStates(batch))
            rows += batch.kept.count
        }
        return Distance(
            divergence: sum / Double(max(1, rows)), perplexity: Self.perplexity(model, held))
    }

    private static func perplexity(_ model: AdapterModel, _ texts: [ExampleEncoder.Sequence]) -> Double {
        var (sum, count) = (0.0, 0)
        for text in texts {
            var batch = TrainingBatch()
            batch.add(text.tokens, promptTokens: 1)
            sum += model.loss(batch)
            count += batch.targetCount
        }
        return exp(sum / Double(max(1, count)))
    }
}
