import Foundation
import Mneme
import MnemeBase
import MnemeChat
import MnemeEngine
import MnemeModels
import MnemeStore

/// Adapters and the memories that stand for them.
extension Home {
    /// Makes the memory that stands for an adapter, in the store that its record names.
    ///
    /// - Parameter operation: what made it, such as `adapters train`.
    /// - Throws: `StoreError`, `FileError`. The adapter stays; the message says so.
    static func remember(_ adapter: Adapter, _ record: AdapterRecord, _ operation: String) async throws {
        let memory = try Home.memory(record.cube?.store ?? store, embedder: nil)
        let caller = Caller(.local, operation: operation, reason: "\(operation) \(record.name)")
        try await adapters.remember(adapter, record, in: memory, by: caller)
        await memory.close()
    }

    /// Makes the memory that stands for an embedding model that was learned here.
    ///
    /// - Throws: `StoreError`, `FileError`. The model stays; the message says so.
    static func remember(_ made: AdapterReference, _ record: AdapterRecord, _ operation: String) async throws {
        let memory = try Home.memory(record.cube?.store ?? store, embedder: nil)
        let caller = Caller(.local, operation: operation, reason: "\(operation) \(record.name)")
        try await trainedEmbedders.remember(made, record, in: memory, by: caller)
        await memory.close()
    }

    /// Refuses an adapter whose memory is archived, as servers do. One that is not there, or damaged, is for
    /// the engine to name.
    ///
    /// - Throws: `AdapterError`; `StoreError` if the store that its record names cannot be read.
    static func requireInUse(_ adapter: String?) throws {
        guard let adapter, let folder = try? adapters.folder(adapter), let record = try? folder.record() else { return }
        if let id = try archivedMemory(of: record) { throw AdapterError.archived(adapter, memory: id) }
    }

    /// The memory that stands for an adapter or an embedding model, if that was archived.
    ///
    /// - Throws: `StoreError` if the store that the record names cannot be read.
    static func archivedMemory(of record: AdapterRecord) throws -> CubeID? {
        guard let place = record.cube else { return nil }
        let path = place.store ?? store
        // A store that is not here any more has no memory of it, and is not made for the question.
        guard isDatabase(path) || FileManager.default.fileExists(atPath: path) else { return nil }
        return try record.archivedMemory(in: memoryStore(path))
    }

    /// Why an adapter or an embedding model that was learned here is out of use; nil if it serves.
    ///
    /// - Throws: `StoreError` if the store of the memory that stands for it cannot be read.
    static func whyOutOfUse(_ record: AdapterRecord) throws -> String? {
        try record.withdrawn
            ?? archivedMemory(of: record).map { "Its memory is archived; `mneme restore \($0)` brings it back." }
    }

    /// Erases an adapter and the memory that stands for it.
    ///
    /// - Throws: `AdapterError` if there is none; `StoreError`, `FileError` if something may be left.
    static func eraseAdapter(_ name: String) async throws {
        try await erase(name, nil, in: adapters, "adapters erase")
    }

    /// The same of an embedding model that was learned here.
    static func eraseEmbedder(_ name: String) async throws {
        try await erase(name, .embedder, in: trainedEmbedders, "embedder erase")
    }

    private static func erase(
        _ name: String, _ kind: AdapterReference.Kind?, in all: AdapterStore, _ operation: String
    ) async throws {
        let folder = try all.folder(name)
        if let place = try folder.record()?.cube {
            let memory = try Home.memory(place.store ?? store, embedder: nil)
            let owner = Owner(tenant: place.tenant, user: place.user)
            for cube in try memory.adapters(of: owner)
            where cube.adapter?.name == name && cube.adapter?.kind == kind {
                // It erases the files, too, if their record knows this memory.
                _ = try await memory.erase(cube.id, owner: owner, by: Caller(.local, operation: operation))
            }
            await memory.close()
        }
        if folder.holdsAdapter { try all.erase(name) }
    }

    /// Learns adapters for the job `promote`.
    ///
    /// - Parameters:
    ///   - model: the model that learns.
    ///   - name: as the command line named it.
    ///   - path: the store whose memories are learned.
    static func learner(_ model: LanguageModel, named name: String, store path: String) -> AdapterLearner {
        var learner = AdapterLearner(model, named: name.contains("/") ? model.path : name, in: adapters)
        (learner.store, learner.hashes) = (remembered(path), kv + "/models")
        return learner
    }

    /// Shows, measures, hands out and takes in the adapters of a server's model.
    ///
    /// - Parameters:
    ///   - model: the model that the engine runs.
    ///   - name: as the command line named it.
    ///   - path: the store whose memories stand for adapters.
    static func served(_ model: LanguageModel, _ engine: Engine, named name: String, store path: String)
        -> ServedAdapters
    {
        var served = ServedAdapters(model, engine, named: name.contains("/") ? model.path : name, in: adapters)
        (served.store, served.hashes) = (remembered(path), kv + "/models")
        return served
    }
}
