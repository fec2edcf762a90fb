import Foundation
import MnemeBase
public import MnemeCube
public import MnemeModels
public import MnemeTrain

/// A training of an embedder from beginning to end: its folder with plan and checkpoint, its steps, and
/// the folder of an embedding model that it becomes, with a record of the memories behind it.
///
/// It is kept beside other embedding models, as one of them. Erasing a memory that it was made from
/// takes it out of use and erases its weights (``AdapterMemory``), as with adapters.
public struct EmbedderTraining: Sendable {
    /// What it is learned from.
    public struct Base: Sendable {
        /// The base's folder.
        public let folder: String
        /// The base itself, which finds hard negatives.
        public let embedder: any TextEmbedder

        /// A folder, and its embedder.
        public init(folder: String, _ embedder: any TextEmbedder) {
            (self.folder, self.embedder) = (folder, embedder)
        }
    }

    /// The new embedder's name.
    public let name: String
    /// What is learned, and how.
    public private(set) var plan: TrainingPlan
    /// Goes on from the checkpoint in ``folder``.
    public var isResumed = false
    private let embedders: AdapterStore
    private let base: Base

    /// Pairs that one pass needs to be two whole steps: of fewer next to nothing is learned. Who names a number
    /// of steps passes over fewer pairs again and again.
    public static let fewestPairs = 128

    /// A training that has not begun.
    ///
    /// - Parameters:
    ///   - name: a name that a folder can have.
    ///   - plan: what is learned, and how; ``TrainingPlan/model`` names the base.
    ///   - embedders: the folder of embedding models.
    ///   - base: the model that the plan names.
    /// - Throws: `AdapterError` for a name that none can have.
    public init(_ name: String, _ plan: TrainingPlan, in embedders: AdapterStore, on base: Base) throws {
        try AdapterStore.check(name: name)
        (self.name, self.plan, self.embedders, self.base) = (name, plan, embedders, base)
    }

    /// The folder of plan and checkpoint while it runs.
    public var folder: String { embedders.trainingFolder(name) }

    /// Makes ready for the first step, or for the one behind the checkpoint. A new training writes its
    /// plan and a checkpoint at once, over those of an earlier one.
    ///
    /// - Parameter memories: what is learned besides the plan's files, see ``TrainingPlan/chosen(in:by:)``.
    /// - Throws: `TrainingError`, `ModelError`, `FileError`.
    public mutating func begin(_ memories: [MemCube]) throws -> EmbedderTrainer {
        let others = try plan.files.flatMap { file in
            try TrainingExample.read(file).filter { !$0.prompt.isEmpty }.map {
                TextPair(
                    $0.prompt, $0.completion, negatives: $0.negatives, sources: [$0.group ?? $0.completion])
            }
        }
        let pairs = try MemoryPairs(memories).pairs(mining: base.embedder, and: others)
        var task = EmbedderTrainer.Task(
            base: base.folder, pairs: pairs, settings: plan.settings ?? EmbedderTrainer.defaults,
            checkpoint: folder + "/checkpoint")
        task.isResumed = isResumed
        let trainer = try EmbedderTrainer(task)
        guard !isResumed else { return trainer }
        let count = trainer.pairCounts.learned
        guard plan.settings?.steps != nil || count >= Self.fewestPairs else {
            throw TrainingError(
                .emptySelection,
                "\(count) pairs to learn are too few for one pass; \(Self.fewestPairs) fill two steps. Remember more, or name a number of steps: --steps."
            )
        }
        plan.learned = memories.map(\.id.description)
        plan.memories = plan.learned ?? []
        try? FileManager.default.removeItem(atPath: folder)
        try Privacy.makeFolder(embedders.path)
        try Privacy.makeFolder(folder)
        try plan.write(in: folder)
        try trainer.save()
        return trainer
    }

    /// Keeps what was learned as an embedding model of this name, with its plan and record, in place of
    /// one that was trained before; the training's folder is gone then.
    ///
    /// - Parameters:
    ///   - trainer: what has learned.
    ///   - replacing: whether a trained embedder of this name may be there.
    ///   - shares: of held-out questions that find their text first, before and after.
    /// - Returns: what `AdapterStore` takes to make the memory that stands for the model.
    /// - Throws: `TrainingError` if a memory that it learned was erased meanwhile, `AdapterError` if the
    ///   name is taken, `FileError`.
    @discardableResult
    public func finish(
        _ trainer: EmbedderTrainer, replacing: Bool, shares: (base: Double, learned: Double)?
    ) throws -> (made: AdapterReference, record: AdapterRecord) {
        // Another process may have erased a memory meanwhile, and this training with it.
        guard FileManager.default.fileExists(atPath: folder + "/" + AdapterStore.trainingFile) else {
            abandon()
            throw TrainingError(
                .emptySelection, "A memory that '\(name)' learned from was erased meanwhile. Train it anew.")
        }
        let record = record(trainer.progress, shares)
        let kept = try embedders.add(name, replacing: replacing || isResumed) { new in
            try trainer.writeMerged(to: new.path)
            try new.write(record)
            try plan.write(in: new.path)
        }
        abandon()
        var made = AdapterReference(
            name: name, model: plan.model, hash: try EmbedderTrainer.identifier(of: kept.path),
            parameters: trainer.parameterCount)
        made.kind = .embedder
        return (made, record)
    }

    /// Removes plan and checkpoint.
    public func abandon() { try? FileManager.default.removeItem(atPath: folder) }

    /// Base, memories, and what the training cost and came to.
    private func record(
        _ progress: TrainingProgress, _ shares: (base: Double, learned: Double)?
    ) -> AdapterRecord {
        var record = plan.record(name, in: embedders, progress)
        record.baseHash = base.embedder.identifier
        record.training["firstHeldOutLoss"] = progress.firstHeldOutLoss
        record.training["heldOutFound"] = shares?.learned
        record.training["firstHeldOutFound"] = shares?.base
        return record
    }
}
