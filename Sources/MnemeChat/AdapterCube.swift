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
        var record = record
        var place = record.cube ?? AdapterRecord.Cube(user: record.owner ?? "default")
        var reference = AdapterReference(
            name: record.name, model: record.base, hash: adapter.hash, parameters: adapter.parameters)
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
