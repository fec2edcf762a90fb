import Crypto
import Foundation
public import MnemeStore

extension MemoryOS {
    /// Records that keys and values are kept, as a memory of its own with an owner, a history and
    /// edges to what it was made of.
    ///
    /// It is not recalled: it is no saying. Erasing it, or a memory that it was made of, erases the
    /// keys and values, too.
    ///
    /// - Parameters:
    ///   - activation: with memories among its sources, to which edges are made as far as they are
    ///     there.
    ///   - text: what the keys and values are of, or how that begins.
    ///   - scope: whose memory it is.
    ///   - source: says where it comes from.
    ///   - caller: with whose rights.
    /// - Returns: the new memory, or the one that is there for the same keys and values.
    /// - Throws: `InputError` without a text, `StoreError`.
    public func keep(
        _ activation: ActivationReference, text: String, scope: Scope, source: String = "kv",
        by caller: Caller = .local
    ) async throws -> MemCube {
        var input = MemoryInput(text)
        input.type = .semantic
        try input.check()
        var cube = MemCube(
            scope: scope, type: .semantic, text: text, eventTime: caller.time,
            recordedTime: caller.time,
            provenance: Provenance(source: source, reference: activation.block))
        cube.payload = .activation(activation, of: text)
        return try await run { [store, cube] in
            var cube = cube
            let known = try store.cubes(
                activation.sources.compactMap { CubeID($0) }, owner: scope.owner, by: .mneme)
            // Whoever may not see a memory may not see it in a prompt either.
            cube.sensitivity = max(cube.sensitivity, known.map(\.sensitivity).max() ?? .public)
            let links = known.map { [id = cube.id] in
                CubeLink(
                    source: id, target: $0.id, kind: CubeLink.derivedFrom, time: caller.time)
            }
            return try store.commit(
                [.add(cube, analysis: [], contentHash: Self.derivedHash(cube), links: links)], owner: scope.owner,
                by: caller)[0]
        }
    }

    /// Memories of kept keys and values that one of these is in: ids of memories, or an owner.
    func activations(of sources: Set<String>, owner: Owner) throws -> [MemCube] {
        var filter = CubeFilter(owner: owner, limit: .max)
        filter.form = .kv
        return try store.list(filter, by: .mneme).filter {
            sources.contains($0.id.description)
                || !sources.isDisjoint(with: $0.activation?.sources ?? [])
        }
    }
}
