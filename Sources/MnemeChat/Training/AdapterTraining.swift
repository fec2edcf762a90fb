import Foundation
import MnemeBase
public import MnemeCube
public import MnemeModels
public import MnemeTrain

/// A training of an adapter from beginning to end: its folder with plan and checkpoint, its steps,
/// and the adapter that it becomes.
public struct AdapterTraining: Sendable {
    /// A model that adapters are learned for.
    public struct Base: Sendable {
        /// Its files.
        public let source: ModelSource
        /// SHA-256 of them.
        public let hash: String

        /// Files, and their hash.
        public init(_ source: ModelSource, hash: String) { (self.source, self.hash) = (source, hash) }
    }

    /// The adapter's name.
    public let name: String
    /// What is learned, and how.
    public private(set) var plan: TrainingPlan
    /// The adapter that it begins with.
    public var start: Adapter?
    /// Goes on from the checkpoint in ``folder``.
    public var isResumed = false
    private let adapters: AdapterStore
    private let base: Base

    /// A training that has not begun.
    ///
    /// - Parameters:
    ///   - name: a name that an adapter can have.
    ///   - plan: what is learned, and how.
    ///   - adapters: where trainings and adapters are kept.
    ///   - base: the model that ``TrainingPlan/model`` names.
    /// - Throws: `AdapterError` for a name that none can have.
    public init(_ name: String, _ plan: TrainingPlan, in adapters: AdapterStore, on base: Base) throws {
        try AdapterStore.check(name: name)
        (self.name, self.plan, self.adapters, self.base) = (name, plan, adapters, base)
    }

    /// Answers that are the base's own, said with the memories in its prompt, of all that are learned; nil where
    /// rules make them.
    public private(set) var distilled: (own: Int, asked: Int)?

    /// The folder of plan and checkpoint while it runs.
    public var folder: String { adapters.trainingFolder(name) }

    /// Makes ready for the first step, or for the one behind the checkpoint. A new training writes
    /// its plan and a checkpoint at once, over those of an earlier one.
    ///
    /// - Parameters:
    ///   - memories: what is learned besides the plan's files, see ``TrainingPlan/chosen(in:by:)``.
    ///   - writes: asked while the base writes texts that the training is held to: false ends that with the
    ///     texts so far, what it throws ends the training before it begins.
    /// - Throws: `TrainingError`, `ModelError`, `FileError`, and what `writes` throws.
    public mutating func begin(
        _ memories: [MemCube], writes: @escaping () throws -> Bool = { true }
    ) throws -> AdapterTrainer {
        let learned = try plan.operation?.examples(of: memories) ?? examples(of: memories, writes) + asked(of: memories)
        guard plan.operation == nil || !learned.isEmpty else {
            throw TrainingError(
                .emptySelection,
                "The rules find nothing to learn from in \(memories.count) memories: statements such as \"Ana lives in Bergen.\" are."
            )
        }
        var examples = try plan.files.flatMap { try TrainingExample.read($0) } + learned
        for i in examples.indices where examples[i].procedure == nil { examples[i].procedure = name }
        let trainer = try AdapterTrainer(
            base.source, base: base.hash, examples: examples,
            settings: plan.settings ?? TrainingSettings(), checkpoint: folder + "/checkpoint",
            resume: isResumed, start: start, writes: writes)
        guard !isResumed else { return trainer }
        let ids = memories.map(\.id.description)
        plan.learned = ids
        plan.memories = ids + (plan.startMemories ?? []).filter { !ids.contains($0) }
        try? FileManager.default.removeItem(atPath: folder)
        try Privacy.makeFolder(adapters.path)
        try Privacy.makeFolder(folder)
        try plan.write(in: folder)
        try trainer.save()
        return trainer
    }

    /// Questions that a model thought of, about memories that are still learned.
    private func asked(of memories: [MemCube]) -> [TrainingExample] {
        let probes = plan.leavesProbes == true ? Set(memories.compactMap { $0.probe?.prompt }) : []
        let learned = Set(memories.map(\.id.description))
        return (plan.asked ?? []).filter { learned.contains($0.memory) && !probes.contains($0.prompt) }.map {
            TrainingExample(prompt: $0.prompt, completion: $0.completion, group: $0.memory)
        }
    }

    /// Texts, questions and answers: the rules', or, where the plan says so, what the base says with the memories in
    /// its prompt.
    private mutating func examples(
        of memories: [MemCube], _ writes: @escaping () throws -> Bool
    ) throws -> [TrainingExample] {
        let leavesProbes = plan.leavesProbes == true
        guard plan.distills == true, !memories.isEmpty else {
            return memories.flatMap { leavesProbes ? $0.examplesWithoutProbe : $0.trainingExamples }
        }
        let made = try ContextDistillation(memories: memories, leavesProbes: leavesProbes).examples(
            of: base.source, while: writes)
        distilled = (made.own, made.asked)
        return made.examples
    }

    /// Keeps what was learned as an adapter, with its plan, in place of one of its name; the
    /// training's folder is gone then.
    ///
    /// - Parameters:
    ///   - adapter: what was learned.
    ///   - record: as ``record(_:)`` made it.
    ///   - replacing: whether an adapter of this name may be there.
    /// - Throws: `TrainingError` if a memory that it learned was erased meanwhile, `AdapterError`
    ///   if the name is taken, `FileError`.
    public func finish(_ adapter: Adapter, _ record: AdapterRecord, replacing: Bool) throws {
        // Another process may have erased a memory meanwhile, and this training with it.
        guard !isErased else {
            abandon()
            throw TrainingError(
                .emptySelection,
                "A memory that '\(name)' learned from was erased meanwhile. Train it anew.")
        }
        try adapters.add(name, replacing: replacing || isResumed) { new in
            try new.write(adapter, record)
            try plan.write(in: new.path)
        }
        abandon()
    }

    /// True if a memory that is learned was erased since the training began, and the training with it.
    var isErased: Bool {
        !FileManager.default.fileExists(atPath: folder + "/" + AdapterStore.trainingFile)
    }

    /// Removes plan and checkpoint.
    public func abandon() { try? FileManager.default.removeItem(atPath: folder) }

    /// What is known of the adapter: base, memories, and what its training cost and came to.
    public func record(_ progress: TrainingProgress) -> AdapterRecord {
        var record = plan.record(name, in: adapters, progress)
        record.baseHash = base.hash
        record.training["divergence"] = progress.divergence
        record.training["ownAnswers"] = distilled.map { Double($0.own) }
        return record
    }
}
