import Crypto
import Foundation
import MnemeBase
public import MnemeModels
public import MnemeNumerics

/// Learns an adapter from examples, a step at a time, and keeps where it stands in a checkpoint.
///
/// The same examples, base, settings and kind of processor give the same bits, whatever the number
/// of threads and however often it stopped in between.
public final class AdapterTrainer {
    /// The settings, with the number of steps.
    public let settings: TrainingSettings
    /// Where it stands.
    public private(set) var progress = TrainingProgress()
    /// Examples that are learned, and held out.
    public var exampleCounts: (learned: Int, heldOut: Int) {
        (plan.learned.count, plan.heldOut.count)
    }
    /// The model that learns.
    public let model: AdapterModel
    /// The batch of the last step; no sequences before the first.
    package private(set) var lastBatch = TrainingBatch()

    private let plan: BatchPlan
    private var kept: KeptTexts
    private let checkpoint: String
    private let snapshots: Snapshotter
    private let base: String
    private let examples: String
    private var optimizer: any TrainingOptimizer
    /// The epoch that is under way, and its batches.
    private var epoch: (index: Int, batches: [TrainingBatch], next: Int)

    /// - Parameters:
    ///   - source: the base model.
    ///   - base: names the base model's files by their contents.
    ///   - examples: what is learned, and held out.
    ///   - wanted: the settings of a new training; one that goes on has the checkpoint's.
    ///   - checkpoint: the file to write checkpoints to.
    ///   - resume: goes on from the checkpoint, with its settings.
    ///   - start: an adapter whose values a new training begins with, and whose shape it has.
    ///   - pool: threads that share a step.
    /// - Throws: ``TrainingError``, `ModelError`.
    public init(
        _ source: ModelSource, base: String, examples: [TrainingExample],
        settings wanted: TrainingSettings, checkpoint: String, resume: Bool = false,
        start: Adapter? = nil, pool: ThreadPool = .shared
    ) throws {
        let found = resume ? try TrainingCheckpoint(path: checkpoint) : nil
        if let found, found.head.base != base {
            throw TrainingError(
                .wrongBase,
                "The checkpoint was made with another model than \(source.path). Name that model, or train without --resume."
            )
        }
        var settings = found?.head.settings ?? wanted
        if found == nil, let start { settings.shape = try AdapterShape(of: start) }
        try settings.check()
        let encoder = try ExampleEncoder(source, limit: settings.sequenceTokens)
        let sequences = examples.map(encoder.encode)
        plan = try BatchPlan(sequences, seed: settings.seed)
        self.examples = Self.hash(sequences)
        if let found, found.head.examples != self.examples {
            throw TrainingError(
                .invalidSetting,
                "The examples are not those that the checkpoint was trained on: memories or files have changed. Train without --resume."
            )
        }
        let first = plan.batches(epoch: 0)
        settings.steps = settings.steps ?? max(60, 5 * first.count)
        self.settings = settings
        self.checkpoint = checkpoint
        snapshots = Snapshotter(path: checkpoint)
        self.base = base
        kept = KeptTexts(
            try found?.head.kept ?? Self.keptTexts(source, found == nil ? settings : nil, pool),
            seed: settings.seed)
        model = try AdapterModel(
            source, shape: settings.shape, batchTokens: plan.batchTokens + kept.stepTokens,
            keptTokens: kept.stepTokens, seed: settings.seed, pool: pool,
            precision: settings.precision, strategies: settings.strategies ?? TrainingStrategies())
        kept.prepare(model)
        progress.steps = settings.steps ?? 0
        epoch = (0, first, 0)
        optimizer = settings.optimizer.make(model.parameters.matrices)
        model.arena.add(optimizer.stateBytes, .optimizer)
        if let found {
            try restore(found)
        } else if let start {
            try model.parameters.load(start, model.configuration)
        }
    }

    /// True when all steps are done.
    public var isDone: Bool { progress.step >= progress.steps }

    /// One step: the gradient of a batch, clipped to a norm of 1, and the optimizer's step.
    ///
    /// - Throws: ``TrainingError`` if the loss is no number any more; the checkpoint is from before.
    public func step() throws {
        let start = ContinuousClock.now
        var batch = nextBatch()
        let base = kept.add(to: &batch, step: progress.step)
        lastBatch = batch
        if progress.step == 0, progress.firstHeldOutLoss == nil {
            progress.firstHeldOutLoss = heldOutLoss()
            progress.heldOutLoss = progress.firstHeldOutLoss
        }
        model.parameters.clearGradients()
        model.step = progress.step
        let targets = batch.targetCount
        let rows = max(1, batch.kept.count)
        let sums = model.addGradient(
            batch, weight: 1 / Float(targets), keeping: base,
            keptWeight: Float(settings.keep ?? 0) / Float(rows))
        let loss = sums.loss / Double(targets)
        let norm = model.parameters.gradientNorm
        guard loss.isFinite, norm.isFinite else {
            throw TrainingError(
                .diverged,
                "The loss is no number any more at step \(progress.step + 1). Train again with a lower --learning-rate."
            )
        }
        snapshots.waitForCopy()
        optimizer.step(
            model.parameters.values.pointer, gradients: model.parameters.gradients.pointer,
            scale: Float(min(1, 1 / (norm + 1e-6))),
            rate: Float(settings.rate(progress.step, of: progress.steps)),
            decay: Float(settings.weightDecay))
        progress.step += 1
        progress.loss = loss
        progress.divergence = base.isEmpty ? nil : sums.divergence / Double(rows)
        if progress.step % max(10, progress.steps / 10) == 0 || isDone {
            progress.heldOutLoss = heldOutLoss()
        }
        progress.tokens += batch.tokens.count
        progress.seconds += (ContinuousClock.now - start) / .seconds(1)
    }

    /// Writes the checkpoint.
    ///
    /// - Throws: `MnemeError` of class `full` for a full disk; the one before stays.
    public func save() throws {
        // What became of an older one does not matter any more.
        try? snapshots.finish()
        try snapshot.copy().write(to: checkpoint)
    }

    /// Writes the checkpoint beside the next steps.
    ///
    /// - Throws: what the write of the one before failed with, see ``save()``.
    public func saveInBackground() throws { try snapshots.begin(snapshot) }

    /// Returns when the last checkpoint is written.
    ///
    /// - Throws: what its write failed with, see ``save()``.
    public func finishSaving() throws { try snapshots.finish() }

    /// Seconds that steps waited for checkpoints in the background.
    public var stallSeconds: Double { snapshots.stallSeconds }

    /// All that the next step needs.
    private var snapshot: Snapshotter.Job {
        Snapshotter.Job(
            head: TrainingCheckpoint.Head(
                settings: settings, examples: examples, base: base, step: progress.step,
                heldOutLoss: progress.heldOutLoss, firstHeldOutLoss: progress.firstHeldOutLoss,
                tokens: progress.tokens, seconds: progress.seconds,
                parameters: model.parameters.values.count, stateBytes: 0, kept: kept.texts),
            parameters: model.parameters.values, optimizer: optimizer)
    }

    /// The adapter as it is so far.
    public var adapter: Adapter {
        model.parameters.adapter(settings.shape, model.configuration)
    }

    /// Texts that the base writes for a new training; none for one that goes on without.
    private static func keptTexts(
        _ source: ModelSource, _ settings: TrainingSettings?, _ pool: ThreadPool
    ) throws -> [ExampleEncoder.Sequence] {
        guard let settings, let keep = settings.keep, keep > 0 else { return [] }
        return try BaseWriter(source, pool: pool).write(
            count: KeptTexts.count, tokens: KeptTexts.tokens, seed: settings.seed)
    }

    /// The mean -log p over the held-out examples; nil if none are.
    private func heldOutLoss() -> Double? {
        let batches = plan.heldOutBatches
        guard !batches.isEmpty else { return nil }
        let targets = batches.reduce(0) { $0 + $1.targetCount }
        return batches.reduce(0) { $0 + model.loss($1) } / Double(targets)
    }

    private func nextBatch() -> TrainingBatch {
        if epoch.next == epoch.batches.count {
            epoch = (epoch.index + 1, plan.batches(epoch: epoch.index + 1), 0)
        }
        epoch.next += 1
        return epoch.batches[epoch.next - 1]
    }

    private func restore(_ found: TrainingCheckpoint) throws {
        guard found.parameters.count == model.parameterCount,
            let restored = settings.optimizer.restore(
                model.parameters.matrices, state: found.state)
        else {
            throw TrainingError(
                .wrongBase, "The checkpoint does not fit the model. Train without --resume.")
        }
        optimizer = restored
        for (i, value) in found.parameters.enumerated() {
            model.parameters.values.pointer[i] = value
        }
        progress.step = found.head.step
        progress.firstStep = found.head.step
        progress.heldOutLoss = found.head.heldOutLoss
        progress.firstHeldOutLoss = found.head.firstHeldOutLoss
        progress.tokens = found.head.tokens ?? 0
        progress.seconds = found.head.seconds ?? 0
        (progress.earlierTokens, progress.earlierSeconds) = (progress.tokens, progress.seconds)
        for _ in 0..<found.head.step { _ = nextBatch() }
    }

    private static func hash(_ sequences: [ExampleEncoder.Sequence]) -> String {
        var hash = SHA256()
        for sequence in sequences {
            hash.update(data: Data("\(sequence.promptTokens) \(sequence.tokens)\n".utf8))
        }
        return Hexadecimal.string(hash.finalize())
    }
}

extension LowRankParameters {
    /// The Euclidean norm of all gradients.
    package var gradientNorm: Double {
        var sum = 0.0
        for i in 0..<count {
            let g = Double(gradients.pointer[i])
            sum += g * g
        }
        return sum.squareRoot()
    }
}
