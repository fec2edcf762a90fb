package import Foundation
import MnemeBase
package import MnemeCube
import MnemeIndex
import MnemeStore
import NIOConcurrencyHelpers

extension MemoryOS {
    /// Runs the recipe's ``MemoryMaintainer`` on an owner's memories, agent by agent and label by
    /// label, and applies what it asks for.
    ///
    /// Each operation is taken or left by itself: one that somebody's change came before is left for
    /// the next run. Uses that were counted in memory are written first.
    ///
    /// - Parameters:
    ///   - isDry: counts only.
    ///   - now: the time of the changes in the journal.
    /// - Returns: what was done, in words.
    /// - Throws: `StoreError`, `AccessError` if the recipe names what it was not given, what the
    ///   oracle throws, `CancellationError`.
    /// - Complexity: holds all of the owner's memories that are in use.
    package func maintain(_ owner: Owner, isDry: Bool, now: Date) async throws -> String {
        guard let maintainer = recipe.maintainer else {
            return "the recipe '\(recipe.name)' asks for nothing"
        }
        flushUses()
        var counts: [String: Int] = [:]
        for group in try await maintenanceGroups(of: owner) {
            try Task.checkCancellation()
            let ids = Set(group.map(\.id))
            let context = MaintenanceContext(
                now: now, oracle: oracle.withLockedValue { $0 },
                nearest: { [self] id, limit in
                    try await nearest(to: id, among: ids, limit: limit, owner: owner)
                })
            let operations = try await maintainer.operations(on: group, in: context)
            for first in stride(from: 0, to: operations.count, by: Self.maintenanceBatch) {
                try Task.checkCancellation()
                let part = Array(operations[first...].prefix(Self.maintenanceBatch))
                let done = try await run { [self] in
                    try apply(part, of: group[0], given: ids, isDry: isDry, now: now)
                }
                for name in done { counts[name, default: 0] += 1 }
            }
        }
        scheduleEmbedding()
        let done = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        return done.isEmpty
            ? "nothing to do" : done.joined(separator: ", ") + (isDry ? " (not done)" : "")
    }

    /// An owner's texts in use, by agent and label; each group the oldest first. What reads like
    /// an instruction to a model is in none.
    private func maintenanceGroups(of owner: Owner) async throws -> [[MemCube]] {
        /// Who sees a memory besides its owner.
        struct Group: Hashable { var agent: String?, sensitivity: Sensitivity }
        var filter = CubeFilter(owner: owner, limit: 1_024)
        filter.state = .activated
        var pages = CubePages(filter, by: .mneme)
        var order: [Group] = []
        var groups: [Group: [MemCube]] = [:]
        while let page = try await pages.next(from: self) {
            for cube in page where cube.isPlaintext && cube.caution == nil && cube.expires == nil {
                let group = Group(agent: cube.scope.agent, sensitivity: cube.sensitivity)
                if groups[group] == nil { order.append(group) }
                groups[group, default: []].append(cube)
            }
        }
        return order.map { groups[$0]!.sorted { ($0.eventTime, $0.id) < ($1.eventTime, $1.id) } }
    }

    /// The memories of a group nearest to one by cosine.
    private func nearest(to id: CubeID, among ids: Set<CubeID>, limit: Int, owner: Owner)
        async throws -> [Neighbour]
    {
        try await run { [self] in
            try withIndex(IndexKey(owner: owner)) { index in
                guard limit > 0, let vector = index.vector(of: id) else { return [] }
                // The memory itself is found first; what is not in the group is looked past.
                let found = try index.vectors.search(
                    vector, VectorSearch(limit + 1 + max(0, index.liveCount - ids.count)))
                return found.lazy.map {
                    Neighbour(index.documents[$0.key].id, similarity: Double($0.score))
                }.filter { $0.id != id && ids.contains($0.id) }.prefix(limit).map { $0 }
            }
        }
    }

    /// Operations that share one wait for the disk.
    private static let maintenanceBatch = 128

    /// Applies some operations, each by itself.
    ///
    /// - Parameters:
    ///   - example: a memory of the group: whose, which agent's and of which label a new one is.
    ///   - ids: the group's.
    /// - Returns: what was done, for people; what somebody changed meanwhile is left out.
    private func apply(
        _ operations: [MemoryOperation], of example: MemCube, given ids: Set<CubeID>,
        isDry: Bool, now: Date
    ) throws -> [String] {
        for operation in operations {
            var named = operation.named
            if case .add(let cube, _) = operation { named.remove(cube.id) }
            guard named.isSubset(of: ids) else {
                throw AccessError(
                    "The recipe '\(recipe.name)' changes a memory that it was not given.")
            }
        }
        guard !isDry else { return operations.map(\.name) }
        let owner = example.scope.owner
        let caller = Caller(
            Caller.mneme.principal, operation: "maintain", reason: "recipe \(recipe.name)",
            time: now)
        let requests = try operations.map {
            WriteRequest(
                try mutations(of: $0, like: example, now: now), owner: owner, by: caller)
        }
        return try zip(operations, store.commit(requests)).compactMap { operation, result in
            do {
                _ = try result.get()
                return operation.name
            } catch let error as StoreError
                where error.code == .notFound || error.code == .conflict
            {
                return nil
            }
        }
    }

    /// The mutations of one operation.
    private func mutations(of operation: MemoryOperation, like example: MemCube, now: Date) throws
        -> [Mutation]
    {
        let owner = example.scope.owner
        if case .add(var cube, let links) = operation {
            cube.scope = Scope(
                tenant: owner.tenant, user: owner.user, agent: example.scope.agent,
                session: cube.scope.session)
            cube.sensitivity = example.sensitivity
            (cube.vouchedBy, cube.state) = (nil, .activated)
            cube.provenance = Provenance(source: Provenance.recipe, reference: recipe.name)
            let (analysis, hash) = try describe(&cube)
            return [.add(cube, analysis: analysis, contentHash: hash, links: links)]
        }
        var mutations: [Mutation] = []
        if case .merge(let id, let other) = operation {
            mutations.append(
                .link(
                    CubeLink(source: other, target: id, kind: CubeLink.consolidates, time: now)))
        }
        return mutations + [try mutation(of: operation, owner: owner)].compactMap(\.self)
    }

    /// Memories that a recipe made of one, and of those in turn: they go when it is erased.
    func made(byRecipesOf id: CubeID, owner: Owner) throws -> [CubeID] {
        var found: [CubeID] = []
        var next = [id]
        while let id = next.popLast() {
            for link in try store.links(of: id, owner: owner, by: .mneme)
            where link.target == id && link.kind == CubeLink.derivedFrom
                && !found.contains(link.source)
            {
                guard
                    let cube = try store.cube(link.source, owner: owner, asOf: nil, by: .mneme),
                    cube.provenance.source == Provenance.recipe
                else { continue }
                found.append(cube.id)
                next.append(cube.id)
            }
        }
        return found
    }
}

extension MemoryOperation {
    /// The word for what was done.
    fileprivate var name: String {
        switch self {
        case .add: "added"
        case .update: "updated"
        case .archive: "archived"
        case .merge: "merged"
        case .invalidate: "ended"
        case .confirm: "confirmed"
        case .link: "linked"
        case .unlink: "unlinked"
        }
    }

    /// Every memory that it names.
    fileprivate var named: Set<CubeID> {
        switch self {
        case .add(let cube, let links):
            Set(links.flatMap { [$0.source, $0.target] }).union([cube.id])
        case .update(let cube): [cube.id]
        case .archive(let id), .invalidate(let id, _), .confirm(let id): [id]
        case .merge(let id, let other): [id, other]
        case .link(let link), .unlink(let link): [link.source, link.target]
        }
    }
}
