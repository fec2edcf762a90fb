public import Foundation
public import MnemeStore

extension MemoryOS: AdapterKeeper {
    /// Records that an adapter, or an embedding model, was made, as a memory of its own with an owner, a history and edges to
    /// what it was made of; made anew under its name, the memory has a next version.
    ///
    /// It is not recalled: it is no saying. Erasing a memory that it was made of archives it, as the
    /// adapter is out of use then; erasing it erases the adapter.
    ///
    /// - Parameters:
    ///   - adapter: with memories among its sources, to which edges are made as far as they are there.
    ///   - figures: what its making cost and came to, by name; they become metadata.
    ///   - scope: whose memory it is.
    ///   - caller: with whose rights; the reason says how it was made.
    /// - Returns: the memory, in use.
    /// - Throws: `StoreError`.
    public func keep(
        _ adapter: AdapterReference, figures: [String: String], scope: Scope, by caller: Caller
    ) async throws -> MemCube {
        try await run { [self] in
            let known = try adapters(of: scope.owner).first { $0.adapter?.key == adapter.key }
            var cube =
                known
                ?? MemCube(
                    scope: scope, type: .procedural,
                    text: adapter.kind == .embedder
                        ? "The embedding model \(adapter.name), learned from \(adapter.model)"
                        : "The adapter \(adapter.name) of \(adapter.model)",
                    eventTime: caller.time, recordedTime: caller.time,
                    provenance: Provenance(
                        source: adapter.kind?.rawValue ?? "adapter", reference: adapter.name))
            cube.payload = .parametric(adapter, of: cube.text)
            cube.metadata = figures
            let sources = try store.cubes(
                adapter.sources.compactMap { CubeID($0) }, owner: scope.owner, by: .mneme)
            // Whoever may not see a memory may not use what was learned of it either.
            cube.sensitivity = max(cube.sensitivity, sources.map(\.sensitivity).max() ?? .public)
            let links = sources.filter { $0.id != cube.id }.map {
                CubeLink(source: cube.id, target: $0.id, kind: CubeLink.derivedFrom, time: caller.time)
            }
            guard let known else {
                return try store.commit(
                    [.add(cube, analysis: [], contentHash: Self.derivedHash(cube), links: links)],
                    owner: scope.owner, by: caller)[0]
            }
            return try replace(known, by: cube, links, caller)
        }
    }

    /// The next version of an adapter's memory, in use, with edges to what it is made of now.
    private func replace(
        _ known: MemCube, by next: MemCube, _ links: [CubeLink], _ caller: Caller
    ) throws -> MemCube {
        var mutations: [Mutation] = []
        var next = next
        if !known.state.isRecallable || known.state == .frozen {
            mutations.append(.restore(known.id))
            next.version += 1
            next.state = .activated
        }
        mutations.append(.update(next, analysis: [], contentHash: Self.derivedHash(next)))
        let old = try store.links(of: known.id, owner: known.scope.owner, by: .mneme).filter {
            $0.source == known.id && $0.kind == CubeLink.derivedFrom
        }
        let targets = Set(links.map(\.target))
        mutations += old.filter { !targets.contains($0.target) }.map { Mutation.unlink($0) }
        mutations += links.filter { link in !old.contains { $0.target == link.target } }.map { Mutation.link($0) }
        _ = try store.commit(mutations, owner: known.scope.owner, by: caller)
        guard let kept = try store.cube(known.id, owner: known.scope.owner, asOf: nil, by: .mneme) else {
            throw StoreError(.notFound, "The memory of the adapter was erased meanwhile. Make it anew.")
        }
        return kept
    }

    /// Notes that an adapter answered a request of its owner.
    public func recordUse(ofAdapter name: String, owner: Owner, time: Date) async throws {
        try await run { [self] in
            let used = try adapters(of: owner).filter { $0.adapter?.key == name }
            recordUse(of: used.map(\.id), owner: owner, time: time)
        }
    }

    /// Memories of an owner's adapters and learned embedding models, those out of use among them.
    public func adapters(of owner: Owner) throws -> [MemCube] {
        var filter = CubeFilter(owner: owner, limit: .max)
        filter.form = .adapter
        return try store.list(filter, by: .mneme)
    }
}
