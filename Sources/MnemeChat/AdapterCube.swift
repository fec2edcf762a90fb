import Foundation
public import Mneme
public import MnemeCube
public import MnemeModels
public import MnemeStore

extension AdapterStore {
    /// Makes the memory that stands for an adapter, or its next version, and notes it in the record.
    ///
    /// Repeated, it changes nothing but the version: an adapter whose memory could not be written
    /// has one after the next attempt.
    ///
    /// - Parameters:
    ///   - adapter: the adapter of the record, which is in this store.
    ///   - record: says where the memory belongs, see `AdapterRecord/cube`.
    ///   - memory: records it in that store.
    ///   - caller: with whose rights, and how it was made.
    /// - Returns: the memory.
    /// - Throws: `StoreError`, `AdapterError`, `FileError`.
    @discardableResult
    public func remember(
        _ adapter: Adapter, _ record: AdapterRecord, in memory: any AdapterKeeper, by caller: Caller
    ) async throws -> MemCube {
        try await remember(
            AdapterReference(
                name: record.name, model: record.base, hash: adapter.hash, parameters: adapter.parameters),
            record, in: memory, by: caller)
    }

    /// The same for any weights of this store: `made` says what they are; base and sources come from the
    /// record.
    ///
    /// - Throws: `StoreError`, `AdapterError`, `FileError`.
    @discardableResult
    public func remember(
        _ made: AdapterReference, _ record: AdapterRecord, in memory: any AdapterKeeper, by caller: Caller
    ) async throws -> MemCube {
        var record = record
        var place = record.cube ?? AdapterRecord.Cube(user: record.owner ?? "default")
        var reference = made
        (reference.modelHash, reference.sources) = (record.baseHash ?? "", record.memories)
        var figures = record.training.mapValues { value in
            value == value.rounded() ? String(format: "%.0f", value) : String(format: "%.4g", value)
        }
        figures["source"] = record.source
        let cube = try await memory.keep(
            reference, figures: figures, scope: Scope(tenant: place.tenant, user: place.user), by: caller)
        place.id = cube.id.description
        record.cube = place
        try folder(record.name).write(record)
        return cube
    }
}

extension AdapterRecord {
    /// The memory that stands for it, if that was archived: then it is out of use.
    ///
    /// - Parameter store: the store that ``cube`` names, or another, which has no such memory.
    /// - Throws: `StoreError`.
    public func archivedMemory(in store: any MemoryStore) throws -> CubeID? {
        guard let cube, let id = cube.id.flatMap({ CubeID($0) }) else { return nil }
        let owner = Owner(tenant: cube.tenant, user: cube.user)
        return try store.cubes([id], owner: owner, by: .mneme).first?.state == .archived ? id : nil
    }
}

extension AdapterError {
    /// Says that an adapter's memory is archived, and how it serves again.
    public static func archived(_ name: String, memory: CubeID) -> AdapterError {
        AdapterError(
            .unavailable,
            "The adapter '\(name)' is out of use, as its memory is archived. Restore \(memory), and it serves again.")
    }
}
