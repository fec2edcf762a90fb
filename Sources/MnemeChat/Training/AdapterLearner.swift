import Dispatch
import Foundation
public import Mneme
import MnemeCube
public import MnemeEngine
import MnemeKV
public import MnemeModels
import MnemeStore
import MnemeTrain
import Synchronization

/// Learns adapters for the job `promote`: trains within the budget, asks what the model says with and
/// without the adapter to questions that the training left out, and keeps it if that is better and
/// other texts are not much worse. What was there before serves until then.
///
/// A training that was interrupted goes on when the job runs again.
public struct AdapterLearner: AdapterPromoter {
    private let model: LanguageModel
    private let adapters: AdapterStore
    /// The model as commands name it.
    public let name: String
    /// The store whose memories are learned, as records name it; nil is the usual one.
    public var store: String?
    /// A folder that remembers hashes of models' files; nil remembers none.
    public var hashes: String?

    /// Tokens of texts that the model writes, in which it is judged: so many texts of so many.
    private static let otherTexts = (count: 16, tokens: 96, seed: UInt64(0x6f74_6865_72))
    /// The part of the time in which the base may write texts that the training is held to.
    private static let writing = 0.25
    /// Seconds between checkpoints.
    private static let checkpoint = 20.0

    /// - Parameters:
    ///   - model: learns.
    ///   - name: the model as commands name it, for `mneme adapters retrain`.
    ///   - adapters: where trainings and adapters are kept.
    public init(_ model: LanguageModel, named name: String, in adapters: AdapterStore) {
        (self.model, self.name, self.adapters) = (model, name, adapters)
    }

    /// Tells a training on its thread that nobody waits for it any more.
    private final class Flag: Sendable {
        let value = Atomic<Bool>(false)
    }

    /// What a training came to.
    private struct Learned: Sendable {
        var training: AdapterTraining
        var adapter: Adapter
        var record: AdapterRecord
        /// Tokens of a text that has nothing to do with the memories.
        var other: [Int32]
    }

    /// Learns, measures, keeps or drops, see `AdapterPromoter`.
    ///
    /// - Throws: `InputError` if the name is another adapter's; `TrainingError`, `EngineError`,
    ///   `StoreError`, `FileError`. Nothing is kept then, but the checkpoint.
    public func promote(_ promotion: AdapterPromotion, in memory: any AdapterKeeper) async throws -> String {
        let probes = promotion.memories.compactMap(\.probe)
        guard !probes.isEmpty else {
            return "none of \(promotion.memories.count) memories answers questions by rule, so nothing was learned"
        }
        if let text = try alreadyLearned(promotion) { return text }
        var plan = TrainingPlan(model: name)
        (plan.user, plan.tenant, plan.store) = (promotion.owner.user, promotion.owner.tenant, store)
        (plan.learned, plan.leavesProbes) = (promotion.memories.map(\.id.description), true)
        var settings = TrainingSettings()
        settings.steps = promotion.steps
        plan.settings = settings
        var learned = try await learn(plan, promotion)
        let result: AdapterEvaluation
        do { result = try await measure(learned, probes) } catch {
            if learned.training.isErased { learned.training.abandon() }
            throw error
        }
        let (before, after) = (result.without, result.with)
        let gain = before.answerLoss > 0 ? 1 - after.answerLoss / before.answerLoss : 0
        let worse = 100 * ((after.perplexity ?? 1) / (before.perplexity ?? 1) - 1)
        let cost = String(
            format: "%d memories in %.0f steps, %.0f s", promotion.memories.count,
            learned.record.training["steps"] ?? 0, learned.record.training["seconds"] ?? 0)
        let brought = String(
            format: "%d → %d of %d questions right, loss of answers %.3f → %.3f, perplexity elsewhere %+.1f %%",
            before.right, after.right, probes.count, before.answerLoss, after.answerLoss, worse)
        let text = "\(cost): \(brought)"
        guard gain >= promotion.gain, after.right >= before.right, worse <= promotion.worse else {
            learned.training.abandon()
            return "\(promotion.adapter) was not kept: \(text)"
        }
        learned.record.training.merge(
            [
                "probes": Double(probes.count), "rightBefore": Double(before.right),
                "right": Double(after.right), "answerLossBefore": before.answerLoss,
                "answerLoss": after.answerLoss, "perplexityRise": worse,
            ]) { $1 }
        try learned.training.finish(learned.adapter, learned.record, replacing: true)
        let caller = Caller(
            Caller.mneme.principal, operation: "promote", reason: "learned \(text)", time: promotion.now)
        try await adapters.remember(learned.adapter, learned.record, in: memory, by: caller)
        return "\(promotion.adapter) learned \(text)"
    }

    /// Says so if the adapter knows these memories already.
    ///
    /// - Throws: `InputError` if somebody else made the adapter of this name.
    private func alreadyLearned(_ promotion: AdapterPromotion) throws -> String? {
        try AdapterStore.check(name: promotion.adapter)
        guard adapters.names().contains(promotion.adapter) else { return nil }
        let folder = try adapters.folder(promotion.adapter)
        let plan = try TrainingPlan.read(in: folder.path)
        guard let plan, plan.leavesProbes == true, plan.owner == promotion.owner else {
            throw InputError(
                "There is an adapter '\(promotion.adapter)' that was not learned for \(promotion.owner.user) by this job. Choose another name."
            )
        }
        let isSame = Set(plan.memories) == Set(promotion.memories.map(\.id.description))
        guard try folder.record()?.withdrawn == nil, isSame else { return nil }
        return "\(promotion.adapter) knows these \(plan.memories.count) memories already"
    }

    /// Trains until all steps are done or the time is over, on a thread of its own.
    private func learn(_ plan: TrainingPlan, _ promotion: AdapterPromotion) async throws -> Learned {
        let isCancelled = Flag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                DispatchQueue.global(qos: .utility).async {
                    continuation.resume(
                        with: Result {
                            try train(plan, promotion) { isCancelled.value.load(ordering: .relaxed) }
                        })
                }
            }
        } onCancel: {
            isCancelled.value.store(true, ordering: .relaxed)
        }
    }

    private func train(
        _ plan: TrainingPlan, _ promotion: AdapterPromotion, _ isCancelled: @escaping () -> Bool
    ) throws -> Learned {
        let source = try ModelSource(path: model.path)
        let base = AdapterTraining.Base(source, hash: try ModelIdentity.hash(model.path, cache: hashes))
        var training = try AdapterTraining(promotion.adapter, plan, in: adapters, on: base)
        let earlier = (try? TrainingPlan.read(in: training.folder)) ?? nil
        training.isResumed = earlier?.learned == plan.learned && earlier?.settings == plan.settings
        let start = ContinuousClock.now
        let end = start + .seconds(60 * promotion.minutes)
        let written = start + .seconds(60 * promotion.minutes * Self.writing)
        let writes: () throws -> Bool = {
            if isCancelled() { throw CancellationError() }
            return ContinuousClock.now < written
        }
        let trainer: AdapterTrainer
        do { trainer = try training.begin(promotion.memories, writes: writes) } catch let error as TrainingError {
            guard training.isResumed else { throw error }
            // Its checkpoint is none, or of other texts.
            training.isResumed = false
            trainer = try training.begin(promotion.memories, writes: writes)
        }
        let isDone = try trainer.run(
            checkpointSeconds: Self.checkpoint, while: { !isCancelled() && .now < end })
        guard isDone || !isCancelled() else { throw CancellationError() }
        var writer = try BaseWriter(source)
        writer.goesOn = {
            if isCancelled() { throw CancellationError() }
            return true
        }
        let other = try writer.write(
            count: Self.otherTexts.count, tokens: Self.otherTexts.tokens, seed: Self.otherTexts.seed)
        return Learned(
            training: training, adapter: trainer.adapter, record: training.record(trainer.progress),
            other: other.flatMap(\.tokens))
    }

    /// What the model says to the probes, and of the other text, with and without what was learned.
    private func measure(_ learned: Learned, _ probes: [MemoryProbe]) async throws -> AdapterEvaluation {
        // In the training's folder, which goes if a memory of it is erased.
        let candidate = AdapterStore(path: learned.training.folder + "/candidate")
        try candidate.add(learned.adapter, learned.record, replacing: true)
        let encoder = try ExampleEncoder(model.tokenizer, template: model.chatTemplate, limit: 1024)
        let answers = Dictionary(probes.map { ($0.prompt, $0.completion) }) { first, _ in first }
        var limits = Engine.Limits()
        (limits.sequences, limits.kvBytes) = (4, 256 << 20)
        let engine = try Engine(model, limits: limits, adapters: candidate)
        defer { engine.close() }
        return try await AdapterEvaluation.run(
            engine, adapter: learned.record.name,
            questions: probes.map { AdapterEvaluation.Question(prompt: $0.prompt, answer: $0.expected) },
            text: learned.other, maxTokens: 48
        ) {
            let sequence = encoder.encode(
                TrainingExample(prompt: $0.prompt, completion: answers[$0.prompt] ?? $0.answer))
            return (sequence.tokens, sequence.promptTokens)
        }
    }
}
