import Crypto
import Foundation
import MnemeBase
import MnemeEmbedding
public import MnemeNumerics

/// Learns an embedder from pairs of texts, a step at a time, by a contrastive loss, and keeps where it
/// stands in a checkpoint.
///
/// Low-rank terms are learned beside the frozen base (LoRA, Hu et al. 2021) and merged into a folder
/// of the base's form at the end. The same pairs, base and settings give the same bits, whatever the
/// number of threads and however often it stopped in between.
public final class EmbedderTrainer {
    /// The settings, with the number of steps.
    public let settings: TrainingSettings
    /// Where it stands.
    public private(set) var progress = TrainingProgress()
    /// Pairs that are learned, and held out.
    public var pairCounts: (learned: Int, heldOut: Int) { (plan.learned.count, plan.heldOut.count) }
    /// Floats that are learned.
    public var parameterCount: Int { model.parameters.count }
    package let model: EncoderModel

    private let folder: EncoderFolder
    private let plan: PairPlan
    private let heldOut: [PairBatch]
    private let checkpoint: String
    private let snapshots: Snapshotter
    private let base, pairs: String
    private var optimizer: any TrainingOptimizer
    /// The epoch that is under way, and its batches.
    private var epoch: (index: Int, batches: [[TextPair]], next: Int)

    /// The settings that suit an embedder: rank 16, one epoch.
    public static var defaults: TrainingSettings {
        var settings = TrainingSettings()
        (settings.shape.rank, settings.shape.alpha) = (16, 32)
        (settings.learningRate, settings.keep, settings.sequenceTokens) = (1e-3, nil, 256)
        settings.precision = .f32
        return settings
    }

    /// What a training is asked to do.
    public struct Task: Sendable {
        /// The base's folder.
        public var base: String
        /// What is learned, and held out.
        public var pairs: [TextPair]
        /// The settings of a new training; one that goes on has the checkpoint's. Steps that are nil pass
        /// once over the pairs.
        public var settings: TrainingSettings
        /// The file to write checkpoints to.
        public var checkpoint: String
        /// Goes on from the checkpoint, with its settings.
        public var isResumed = false

        /// A new training.
        public init(base: String, pairs: [TextPair], settings: TrainingSettings, checkpoint: String) {
            (self.base, self.pairs) = (base, pairs)
            (self.settings, self.checkpoint) = (settings, checkpoint)
        }
    }

    /// - Parameters:
    ///   - task: what is learned, by which settings, and where its checkpoint lies.
    ///   - pool: threads that share a step.
    /// - Throws: ``TrainingError`` for too few pairs, for settings out of range, and for a checkpoint of
    ///   another base or other pairs; `ModelError` for a folder that is no encoder's.
    public init(_ task: Task, pool: ThreadPool = .shared) throws {
        folder = try EncoderFolder(path: task.base)
        base = folder.identifier
        pairs = Self.hash(task.pairs)
        checkpoint = task.checkpoint
        let found = task.isResumed ? try TrainingCheckpoint(path: checkpoint) : nil
        if let found, found.head.base != base {
            throw TrainingError(
                .wrongBase,
                "The checkpoint was made with another embedding model than \(task.base). Name that model, or train without --resume."
            )
        }
        if let found, found.head.examples != pairs {
            throw TrainingError(
                .invalidSetting,
                "The pairs are not those that the checkpoint was trained on: memories have changed. Train without --resume."
            )
        }
        var settings = found?.head.settings ?? task.settings
        try settings.check()
        plan = try PairPlan(task.pairs, seed: settings.seed)
        epoch = (0, plan.batches(epoch: 0), 0)
        settings.steps = settings.steps ?? epoch.batches.count
        let limit = min(settings.sequenceTokens, folder.configuration.maximumTokens)
        settings.sequenceTokens = limit
        self.settings = settings
        snapshots = Snapshotter(path: checkpoint)
        let files = folder
        heldOut = stride(from: 0, to: plan.heldOut.count, by: PairPlan.batch).map { [plan] start in
            let end = min(start + PairPlan.batch, plan.heldOut.count)
            return PairBatch(Array(plan.heldOut[start..<end]), files, limit: limit)
        }
        model = try EncoderModel(folder, settings, pool: pool)
        progress.steps = settings.steps ?? 0
        optimizer = settings.optimizer.make(model.parameters.matrices)
        if let found { try restore(found) }
    }

    /// True when all steps are done.
    public var isDone: Bool { progress.step >= progress.steps }

    /// One step: the gradient of a batch, clipped to a norm of 1, and the optimizer's step.
    ///
    /// - Throws: ``TrainingError`` if the loss is no number any more; the checkpoint is from before.
    public func step() throws {
        let start = ContinuousClock.now
        if progress.step == 0, progress.firstHeldOutLoss == nil {
            progress.firstHeldOutLoss = heldOutMeasure()?.loss
            progress.heldOutLoss = progress.firstHeldOutLoss
        }
        let batch = PairBatch(nextBatch(), folder, limit: settings.sequenceTokens)
        let texts = batch.questions + batch.texts
        let loss = batch.loss(model.vectors(texts), dimension: model.dimension)
        model.parameters.clearGradients()
        model.addGradient(texts, vectorGradients: loss.questionGradients + loss.textGradients)
        let norm = model.parameters.gradientNorm
        guard loss.loss.isFinite, norm.isFinite else {
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
        progress.loss = loss.loss
        if progress.step % max(10, progress.steps / 10) == 0 || isDone {
            progress.heldOutLoss = heldOutMeasure()?.loss
        }
        progress.tokens += batch.tokenCount
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

    /// The share of held-out questions that find their own text first among those of their batch, by
    /// the base and by what was learned; nil if none are held out.
    public func heldOutShares() -> (base: Double, learned: Double)? {
        model.parameters.isOff = true
        let base = heldOutMeasure()
        model.parameters.isOff = false
        guard let base, let learned = heldOutMeasure() else { return nil }
        return (base.found, learned.found)
    }

    /// Writes the base with what was learned, as a folder of its own form.
    ///
    /// - Parameter path: a folder that is there and empty.
    /// - Throws: `FileError`, of class `full` for a full disk; `ModelError`.
    public func writeMerged(to path: String) throws {
        try MergedEncoder(folder, model.parameters, scale: settings.shape.scale).write(to: path)
    }

    /// What names an embedding model by its files, as its vectors have it.
    ///
    /// - Throws: `ModelError` for a folder that holds none.
    public static func identifier(of folder: String) throws -> String { try EncoderFolder(path: folder).identifier }

    /// The mean loss of the held-out pairs, and the share that finds its text first; nil if none are.
    private func heldOutMeasure() -> (loss: Double, found: Double)? {
        let pairs = plan.heldOut.count
        guard pairs > 0 else { return nil }
        var (total, found) = (0.0, 0)
        for batch in heldOut {
            let loss = batch.loss(model.vectors(batch.questions + batch.texts), dimension: model.dimension)
            total += loss.loss * Double(batch.questions.count)
            found += loss.found
        }
        return (total / Double(pairs), Double(found) / Double(pairs))
    }

    private func nextBatch() -> [TextPair] {
        if epoch.next == epoch.batches.count {
            epoch = (epoch.index + 1, plan.batches(epoch: epoch.index + 1), 0)
        }
        epoch.next += 1
        return epoch.batches[epoch.next - 1]
    }

    /// All that the next step needs.
    private var snapshot: Snapshotter.Job {
        Snapshotter.Job(
            head: TrainingCheckpoint.Head(
                settings: settings, examples: pairs, base: base, step: progress.step,
                heldOutLoss: progress.heldOutLoss, firstHeldOutLoss: progress.firstHeldOutLoss,
                tokens: progress.tokens, seconds: progress.seconds,
                parameters: model.parameters.count, stateBytes: 0),
            parameters: model.parameters.values, optimizer: { [optimizer] in optimizer.state })
    }

    private func restore(_ found: TrainingCheckpoint) throws {
        guard found.parameters.count == model.parameters.count,
            let restored = settings.optimizer.restore(model.parameters.matrices, state: found.state)
        else {
            throw TrainingError(
                .wrongBase, "The checkpoint does not fit the model. Train without --resume.")
        }
        optimizer = restored
        for (i, value) in found.parameters.enumerated() { model.parameters.values.pointer[i] = value }
        progress.resume(found.head)
        for _ in 0..<found.head.step { _ = nextBatch() }
    }

    private static func hash(_ pairs: [TextPair]) -> String {
        var hash = SHA256()
        for pair in pairs {
            for text in [pair.question, pair.text] + pair.negatives + ["\n"] {
                hash.update(data: Data((text + "\0").utf8))
            }
        }
        return Hexadecimal.string(hash.finalize())
    }
}
