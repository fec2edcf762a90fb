public import Mneme
public import MnemeModels
import MnemeStore

/// The adapters of this machine, as memory that was derived from memories: one that was made from an
/// erased memory is out of use from then on, and its weights are erased.
public struct AdapterMemory: DerivedMemory {
    private let store: AdapterStore
    /// The folder of all adapters.
    public var files: [String] { [store.path] }

    /// Adapters in a store, whether an engine serves them now or not.
    public init(_ store: AdapterStore) { self.store = store }

    /// Takes adapters that were made from any of these memories out of use, and erases their weights.
    /// Trainings that have not ended are erased with their checkpoints, and adapters whose own memory
    /// is among these.
    public func erase(madeOf sources: Set<String>, _ activations: [ActivationReference]) throws {
        try store.eraseTrainings(madeOf: sources)
        for name in store.names() {
            if let cube = try store.folder(name).record()?.cube?.id, sources.contains(cube) {
                try store.erase(name)
            }
        }
        for (folder, _) in try made(of: sources) {
            try folder.withdraw("A memory that it was made from was erased.")
            // What a model asked about it tells of it, too. A plan that nobody can read learns nothing again.
            if var plan = try? TrainingPlan.read(in: folder.path), plan.forget(sources) {
                try plan.write(in: folder.path)
            }
        }
    }

    /// Adapters that were made from any of these memories and are out of use, in order.
    public func outOfUse(madeOf sources: Set<String>) throws -> [String] {
        try made(of: sources).filter { $0.record.withdrawn != nil }.map { $0.record.name }
    }

    private func made(of sources: Set<String>) throws -> [(folder: AdapterFolder, record: AdapterRecord)] {
        try store.names().compactMap { name in
            let folder = try store.folder(name)
            guard let record = try folder.record(), !sources.isDisjoint(with: record.memories) else {
                return nil
            }
            return (folder, record)
        }
    }
}
