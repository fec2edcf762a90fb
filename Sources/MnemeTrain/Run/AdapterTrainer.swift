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
    /// What steps leave alone; nil if nothing is kept.
    package let subspace: InputSubspace?
    /// The parameters before a step, where ``subspace`` is.
    private let before: AlignedBuffer<Float>
    private let checkpoint: String
    private let snapshots: Snapshotter
    private let base: String
    private let examples: String
    let optimizer: any StateKeeper
    /// Bytes of each rank's state.
    let stateSizes: [Int]
    /// The other ranks, while there are some.
    var shared: SharedParameters?
    /// Keeps snapshots of a shared training in memory, where that is wanted.
    package internal(set) var keepers: KeptSnapshots?
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
    ///   - writes: asked while the base writes texts that a new training is held to; false ends that with
    ///     the texts so far, what it throws ends the training before it begins.
    /// - Throws: ``TrainingError``, `ModelError`, and what `writes` throws.
    public init(
        _ source: ModelSource, base: String, examples: [TrainingExample],
        settings wanted: TrainingSettings, checkpoint: String, resume: Bool = false,
        start: Adapter? = nil, pool: ThreadPool = .shared,
        writes: @escaping () throws -> Bool = { true }
    ) throws {
        let found = resume ? try TrainingCheckpoint(path: checkpoint) : nil
        if let found, found.head.base != base {
            throw TrainingError(
                .wrongBase,
                "The checkpoint was made with another model than \(source.path). Name that model, or train without --resume."
            )
        }
        var settings = found?.head.settings ?? wanted
        if found == nil, let route = settings.strategies?.route, route.kind == .tokens {
            settings.shape = AdapterShape(
                try ProcedureShape(of: examples, tokensEach: route.blocks, addedTo: start))
            // What the base writes elsewhere does not change.
            settings.keep = nil
        } else if found == nil, let route = settings.strategies?.route, route.kind == .side {
            settings.shape = AdapterShape(SideShape(reduction: route.blocks))
        } else if found == nil, let start {
            settings.shape = try AdapterShape(of: start)
        }
        try settings.check()
        let encoder = try ExampleEncoder(source, limit: settings.sequenceTokens)
        if found == nil, let names = settings.shape.procedures?.names {
            settings.shape.procedures?.words = names.map { encoder.tokens(of: $0) }
        }
        let procedures = try settings.shape.procedures?.tokens(vocabulary: source.configuration().vocabularySize)
        let sequences = examples.map { encoder.encode($0, procedures: procedures ?? [:]) }
        plan = try BatchPlan(sequences, seed: settings.seed)
        self.examples = Self.hash(sequences)
        if let found, found.head.examples != self.examples {
            throw TrainingError(
                .invalidSetting,
                "The examples are not those that the checkpoint was trained on: memories or files have changed. Train without --resume."
            )
        }
        let first = plan.batches(epoch: 0)
        settings.steps = settings.steps ?? (settings.strategies?.route ?? .backprop).usualSteps(first.count)
        self.settings = settings
        self.checkpoint = checkpoint
        snapshots = Snapshotter(path: checkpoint)
        self.base = base
        // Ranks share the cores.
        let pool =
            settings.strategies?.ranks.map {
                pool === ThreadPool.shared ? ThreadPool(threads: max(1, pool.threadCount / $0.count)) : pool
            } ?? pool
        kept = KeptTexts(
            try found?.head.kept ?? Self.keptTexts(source, found == nil ? settings : nil, pool, writes),
            seed: settings.seed)
        model = try AdapterModel(
            source, shape: settings.shape, batchTokens: plan.batchTokens + kept.stepTokens,
            keptTokens: kept.stepTokens, seed: settings.seed, pool: pool,
            precision: settings.precision, strategies: settings.strategies ?? TrainingStrategies())
        kept.prepare(model)
        subspace =
            kept.texts.isEmpty || model.side != nil
            ? nil : InputSubspace(model, texts: kept.texts, seed: settings.seed)
        before = model.arena.make(subspace == nil ? 0 : model.parameters.count, .directions)
        progress.steps = settings.steps ?? 0
        epoch = (0, first, 0)
        let placement = settings.strategies?.optimizerState ?? .memory
        let groups =
            settings.strategies?.ranks?.count
            ?? (placement == .file ? model.configuration.layers : 1)
        optimizer = try placement.make(
            settings.optimizer, ParameterGroups(model.parameters.learned, count: groups),
            idle: model.idleMemory, model.arena)
        stateSizes = optimizer.sizes + Array(repeating: 0, count: groups)
        if let found {
            try restore(found)
        } else if let start {
            try model.load(start)
        } else {
            subspace?.project(model.parameters, since: nil)
        }
    }

    /// True when all steps are done.
    public var isDone: Bool { progress.step >= progress.steps }

    /// One step: the gradient of a batch, clipped to a norm of 1, and the optimizer's step.
    ///
    /// - Throws: ``TrainingError`` if the loss is no number any more; the checkpoint is from before.
    public func step() throws {
        let start = ContinuousClock.now
        try announceStep()
        var batch = nextBatch()
        let base = kept.add(to: &batch, step: progress.step)
        lastBatch = batch
        if progress.step == 0, progress.firstHeldOutLoss == nil {
            progress.firstHeldOutLoss = heldOutLoss()
            progress.heldOutLoss = progress.firstHeldOutLoss
        }
        // This route puts averages in terms' places within its passes: a copy beside them would see those.
        if settings.strategies?.route.kind == .man { snapshots.waitForCopy() }
        if let shared { shared.clearGradients() } else { model.parameters.clearGradients() }
        model.step = progress.step
        let targets = batch.targetCount
        let rows = max(1, batch.kept.count)
        let mine = shared?.share(of: batch, base) ?? (batch, base)
        var sums = model.addGradient(
            mine.0, weight: 1 / Float(targets), keeping: mine.1,
            keptWeight: Float(settings.keep ?? 0) / Float(rows))
        if let shared { sums = try shared.total(sums) }
        let loss = sums.loss / Double(targets)
        let norm = try shared?.norm() ?? model.parameters.gradientNorm
        guard loss.isFinite, norm.isFinite else {
            throw TrainingError(
                .diverged,
                "The loss is no number any more at step \(progress.step + 1). Train again with a lower --learning-rate."
            )
        }
        snapshots.waitForCopy()
        before.pointer.update(from: model.parameters.values.pointer, count: before.count)
        try optimizer.step(
            model.parameters.values.pointer, gradients: model.parameters.gradients.pointer,
            StepSize(
                scale: Float(min(1, 1 / (norm + 1e-6))),
                rate: Float(settings.rate(progress.step, of: progress.steps)),
                decay: Float(settings.weightDecay)))
        model.procedures?.renormalize()
        subspace?.project(model.parameters, since: before.pointer, only: shared?.own)
        try shared?.spread()
        progress.step += 1
        progress.loss = loss
        progress.divergence = base.isEmpty ? nil : sums.divergence / Double(rows)
        if progress.step % max(10, progress.steps / 10) == 0 || isDone {
            progress.heldOutLoss = heldOutLoss()
        }
        progress.tokens += batch.tokens.count
        progress.seconds += (ContinuousClock.now - start) / .seconds(1)
        try keepSnapshot()
    }

    /// Writes the checkpoint.
    ///
    /// - Throws: `MnemeError` of class `full` for a full disk; the one before stays.
    public func save() throws {
        // What became of an older one does not matter any more.
        try? snapshots.finish()
        try snapshot().copy().write(to: checkpoint)
    }

    /// Writes the checkpoint beside the next steps.
    ///
    /// - Throws: what the write of the one before failed with, see ``save()``.
    public func saveInBackground() throws { try snapshots.begin(snapshot()) }

    /// Returns when the last checkpoint is written.
    ///
    /// - Throws: what its write failed with, see ``save()``.
    public func finishSaving() throws { try snapshots.finish() }

    /// Seconds that steps waited for checkpoints in the background.
    public var stallSeconds: Double { snapshots.stallSeconds }

    /// All that the next step needs.
    private func snapshot() throws -> Snapshotter.Job {
        var (parameters, optimizer) = (model.parameters.values, optimizer.snapshot)
        if let shared {
            let all = try collected(shared)
            (parameters, optimizer) = (all.values, { all.state })
        }
        return Snapshotter.Job(head: head, parameters: parameters, optimizer: optimizer)
    }

    /// A checkpoint's beginning, of now.
    var head: TrainingCheckpoint.Head {
        TrainingCheckpoint.Head(
            settings: settings, examples: examples, base: base, step: progress.step,
            heldOutLoss: progress.heldOutLoss, firstHeldOutLoss: progress.firstHeldOutLoss,
            tokens: progress.tokens, seconds: progress.seconds,
            parameters: model.parameters.values.count, stateBytes: 0, kept: kept.texts)
    }

    /// The adapter as it is so far.
    public var adapter: Adapter { model.adapter }

    /// Texts that the base writes for a new training; none for one that goes on without.
    private static func keptTexts(
        _ source: ModelSource, _ settings: TrainingSettings?, _ pool: ThreadPool,
        _ writes: @escaping () throws -> Bool
    ) throws -> [ExampleEncoder.Sequence] {
        guard let settings, let keep = settings.keep, keep > 0 else { return [] }
        var writer = try BaseWriter(source, pool: pool)
        writer.goesOn = writes
        let texts = try writer.write(
            count: KeptTexts.count, tokens: KeptTexts.tokens, seed: settings.seed)
        return texts.count < KeptTexts.perStep ? [] : texts
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

    func restore(_ found: TrainingCheckpoint) throws {
        guard found.parameters.count == model.parameters.count,
            try optimizer.restore(found.state)
        else {
            throw TrainingError(
                .wrongBase, "The checkpoint does not fit the model. Train without --resume.")
        }
        for (i, value) in found.parameters.enumerated() {
            model.parameters.values.pointer[i] = value
        }
        let before = progress.step
        progress.resume(found.head)
        for _ in before..<found.head.step { _ = nextBatch() }
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
