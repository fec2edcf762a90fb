import Foundation
import MnemeBase
public import MnemeCube
public import MnemeModels
public import MnemeStore
public import MnemeTrain

/// What an adapter is learned from, and how: kept beside a training's checkpoint, then beside the
/// adapter (`training.json`), so that it can be learned again.
public struct TrainingPlan: Sendable, Equatable, Codable {
    /// The base, as it was named.
    public var model: String
    /// Selects memories, see ``TrainingSelection``; nil if files alone are learned.
    public var from: String?
    /// Files of examples.
    public var files: [String] = []
    /// Whose memories.
    public var user = "default"
    /// The user's tenant.
    public var tenant = "default"
    /// The store that holds them; nil is the usual one.
    public var store: String?
    /// Ids of the memories that are learned, and of those behind the adapter that it began with:
    /// erasing one erases the training.
    public var memories: [String] = []
    /// Ids of the memories behind the adapter that the training began with.
    public var startMemories: [String]?
    /// Ids of the memories that are learned. A plan that has them takes these and does not select.
    public var learned: [String]?
    /// The adapter that it began with: a name, or a folder.
    public var start: String?
    /// Leaves one question of each memory out of what is learned, to judge by; nil learns all.
    public var leavesProbes: Bool?
    /// Learns what the base says to questions with the memories in its prompt; nil learns the rules' answers.
    public var distills: Bool?
    /// Questions that a model thought of, see ``ModelQuestions``; nil if none was asked.
    public var asked: [ModelQuestions.Asked]?
    /// What of memories is learned in place of their texts: an operation on them. Nil learns the texts.
    public var operation: TaughtOperation?
    /// As they were asked for; nil in plans of before they were kept.
    public var settings: TrainingSettings?

    /// Nothing chosen yet.
    public init(model: String) { self.model = model }

    /// Reads the plan in a training's or an adapter's folder.
    ///
    /// - Returns: nil if there is none.
    /// - Throws: `TrainingError` if it cannot be read.
    public static func read(in folder: String) throws -> TrainingPlan? {
        let path = folder + "/" + AdapterStore.trainingFile
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        guard let plan = try? JSONDecoder().decode(TrainingPlan.self, from: data) else {
            throw TrainingError(.invalidFile, "\(path) is damaged. Train anew, with --replace.")
        }
        return plan
    }

    /// Writes the plan into a folder.
    ///
    /// - Throws: `FileError`.
    public func write(in folder: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try AtomicFile.write(try encoder.encode(self), to: folder + "/" + AdapterStore.trainingFile)
    }

    /// Takes out what a model made of memories that are erased.
    ///
    /// - Returns: whether there was something.
    mutating func forget(_ sources: Set<String>) -> Bool {
        guard let asked, asked.contains(where: { sources.contains($0.memory) }) else { return false }
        self.asked = asked.filter { !sources.contains($0.memory) }
        return true
    }

    /// Whose memories are learned.
    public var owner: Owner { Owner(tenant: tenant, user: user) }

    /// The memories to learn: those of ``learned`` that are still there and in use, or what
    /// ``from`` selects.
    ///
    /// - Throws: `StoreError`; `TrainingError` if there are none, and no files either.
    public func chosen(in store: some CubeStore, by caller: Caller) throws -> [MemCube] {
        guard let learned else {
            return try from.map {
                try TrainingSelection($0).memories(in: store, of: owner, by: caller)
            } ?? []
        }
        let found = try store.cubes(learned.compactMap { CubeID($0) }, owner: owner, by: caller)
        let usable = found.filter(\.isLearnable)
        guard !usable.isEmpty || !files.isEmpty else {
            throw TrainingError(
                .emptySelection,
                "None of the \(learned.count) memories that it was made from is in use any more. Erase the adapter, or train another."
            )
        }
        return usable
    }

    /// Reads the adapter that the training begins with, and notes the memories behind it.
    ///
    /// - Parameters:
    ///   - adapters: where ``start`` is looked for, unless it is a folder's path.
    ///   - base: the model that is learned for.
    /// - Returns: nil if it begins from nothing.
    /// - Throws: `TrainingError` if that adapter is out of use, another user's or another model's;
    ///   `AdapterError` if it cannot be read.
    public mutating func begin(in adapters: AdapterStore, _ base: AdapterTraining.Base) throws -> Adapter? {
        guard let start else { return nil }
        let folder = start.contains("/") ? AdapterFolder(path: start) : try adapters.folder(start)
        let record = try folder.record()
        if let why = record?.withdrawn {
            throw TrainingError(
                .invalidSetting,
                "The adapter '\(start)', which this one begins with, was taken out of use: \(why)")
        }
        if let record, !record.memories.isEmpty, record.owner ?? user != user {
            throw TrainingError(
                .invalidSetting, "The adapter '\(start)' was made from another user's memories.")
        }
        guard record?.baseHash.map({ $0 == base.hash }) ?? true else {
            throw TrainingError(
                .wrongBase,
                "The adapter '\(start)' was made for another model than \(base.source.path).")
        }
        startMemories = record?.memories
        return try folder.read(for: base.source.configuration())
    }

    /// What is known of what a training made: base, memories, what it cost and came to, and where its own
    /// memory belongs.
    func record(_ name: String, in store: AdapterStore, _ progress: TrainingProgress) -> AdapterRecord {
        var record = AdapterRecord(name: name, base: model)
        (record.memories, record.created) = (memories, Date())
        if !memories.isEmpty { record.owner = user }
        var place = AdapterRecord.Cube(user: user, tenant: tenant, store: self.store)
        // Made anew, it stays the same memory.
        let earlier = ((try? store.folder(name).record()) ?? nil)?.cube
        if earlier?.user == place.user, earlier?.tenant == place.tenant { place.id = earlier?.id }
        record.cube = place
        record.training = [
            "steps": Double(progress.step), "loss": progress.loss,
            "tokens": Double(progress.tokens), "seconds": progress.seconds,
        ]
        record.training["heldOutLoss"] = progress.heldOutLoss
        return record
    }

    /// The plan to learn the same again, of what is still there.
    ///
    /// - Throws: `TrainingError` if the plan is one of before settings were kept.
    public func again(_ name: String) throws -> TrainingPlan {
        guard settings != nil else {
            throw TrainingError(
                .invalidSetting,
                "'\(name)' was trained before its settings were kept. Train it with `mneme adapters train \(name) --replace`."
            )
        }
        var plan = self
        let earlier = Set(startMemories ?? [])
        plan.learned = learned ?? memories.filter { !earlier.contains($0) }
        plan.startMemories = nil
        return plan
    }
}

extension MemCube {
    /// True for a text that holds now and that recall may return.
    var isLearnable: Bool {
        isPlaintext && self.state.isRecallable && self.validUntil == nil && !text.isEmpty
    }
}
