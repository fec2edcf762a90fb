import Logging
import MnemeIndex
import MnemeStore

/// Group commit: several writes become one transaction.
extension MemoryOS {
    /// Memories of an owner up to which imports look for near duplicates: the search needs the
    /// owner's index.
    private static let bulkLimit = 50_000

    /// Reconciles a group of writes with what is stored, and commits them together.
    func commit(_ writes: [PendingWrite]) -> [Result<[Remembered], any Error>] {
        do {
            let steps = zip(writes, try similar(of: writes)).map { write, similar in
                Result {
                    try zip(write.drafts, similar).map { try reconcile($0, $1, of: write) }
                }
            }
            // What a recipe may not do fails its own write, and not those that came together.
            let requests = zip(writes, steps).compactMap { write, steps in
                (try? steps.get()).map {
                    WriteRequest(
                        $0.flatMap(\.mutations), owner: write.owner, by: write.caller,
                        idempotencyKey: write.idempotencyKey)
                }
            }
            var saved = try store.commit(requests)[...]
            return steps.map { steps in
                steps.flatMap { steps in
                    saved.removeFirst().map { Self.remembered($0, steps) }
                }
            }
        } catch { return writes.map { _ in .failure(error) } }
    }

    /// The reconciler's answer on one draft, held to the policy.
    private struct Reconciled {
        /// The draft's id, which the store may answer with another's.
        var draft: CubeID
        /// Mutations that are committed for it, in order.
        var mutations: [Mutation] = []
        /// The memory that it nearly repeats.
        var nearDuplicate: CubeID?
        /// Other memories that are changed.
        var changed: Set<CubeID> = []
    }

    /// Asks the recipe what becomes of a draft, and holds its answer to the policy.
    ///
    /// - Throws: `AccessError` if the recipe wants what no recipe may.
    private func reconcile(_ draft: PreparedDraft, _ similar: SimilarMemories, of write: PendingWrite)
        throws -> Reconciled
    {
        var draft = draft
        var result = Reconciled(draft: draft.cube.id)
        // What was taken out of a text is no recipe's business: it is put aside as it is.
        guard !draft.cube.provenance.isOriginal else {
            result.mutations = [addition(of: draft.cube, draft, links: [])]
            return result
        }
        // A text that was quarantined once is recognised in other words.
        if write.quarantinesSimilar, similar.isSimilarToQuarantined, draft.cube.vouchedBy == nil,
            draft.cube.state == .activated
        {
            draft.cube.state = .quarantined
            draft.cube.caution = (draft.cube.caution ?? []) + [GuardSignal.similarToQuarantined.rawValue]
        }
        if write.quarantinesSimilar, similar.isJudged || draft.cube.state == .quarantined {
            try judgeByLessons(
                &draft.cube, neighbours: Set(similar.neighbours.map(\.id) + similar.siblings).sorted(),
                of: write.owner)
        }
        let operations = recipe.reconciler.operations(
            for: draft.cube, among: similar.neighbours, at: write.caller.time)
        for operation in operations {
            if case .add(let added, let links) = operation {
                let cube = conformed(added, to: write.policy, madeOf: draft.cube)
                result.nearDuplicate = links.first { $0.kind == CubeLink.nearDuplicateOf }?.target
                result.mutations.append(addition(of: cube, draft, links: links))
            } else if let change = try mutation(of: operation, owner: write.owner) {
                if let target = change.cube { result.changed.insert(target) }
                result.mutations.append(change)
            }
        }
        return result
    }

    /// - Parameter cube: what a recipe made of the draft: the index is of the words that are stored.
    private func addition(of cube: MemCube, _ draft: PreparedDraft, links: [CubeLink]) -> Mutation {
        let analysis =
            cube.text == draft.cube.text
            ? draft.analysis : Analysis(of: cube, analyzer: analyzer)
        return .add(
            cube, analysis: analysis.encoded, contentHash: draft.contentHash,
            links: draft.links + links)
    }

    /// A memory that a recipe made of a draft, redacted and screened as the draft was: the recipe
    /// may have put other words in its place.
    private func conformed(_ added: MemCube, to policy: MemoryPolicy, madeOf draft: MemCube) -> MemCube {
        guard added != draft else { return added }
        var cube = added
        if cube.provenance.isOriginal { cube.provenance = draft.provenance }
        // A word for one text is none for another.
        cube.vouchedBy = cube.text == draft.text ? draft.vouchedBy : nil
        Self.redact(&cube, policy)
        screen(&cube, policy)
        // In other words a quarantined draft is quarantined as well.
        if draft.state == .quarantined {
            cube.state = .quarantined
            cube.caution = Set(draft.caution ?? []).union(cube.caution ?? []).sorted()
        }
        return cube
    }

    /// The mutation that a recipe's change of a stored memory becomes; nil for an addition, and for
    /// a memory that is gone.
    ///
    /// Of an update only text, type, tags, metadata and priority are taken, redacted and screened.
    func mutation(of operation: MemoryOperation, owner: Owner) throws -> Mutation? {
        switch operation {
        case .add: return nil
        case .update(let wanted):
            guard var cube = try store.cube(wanted.id, owner: owner, asOf: nil, by: .mneme) else {
                return nil
            }
            if cube.text != wanted.text { cube.vouchedBy = nil }
            (cube.text, cube.type, cube.tags) = (wanted.text, wanted.type, wanted.tags)
            (cube.metadata, cube.priority) = (wanted.metadata, wanted.priority)
            let (analysis, hash) = try describe(&cube)
            return .update(cube, analysis: analysis, contentHash: hash)
        case .archive(let id): return .archive(id)
        case .merge(let id, let other): return .merge(id, into: other)
        case .invalidate(let id, let time): return .invalidate(id, at: time)
        case .confirm(let id): return .confirm(id)
        case .link(let link): return .link(link)
        case .unlink(let link): return .unlink(link)
        }
    }

    /// For each draft of each write, the memories from before the group that are like it.
    private func similar(of writes: [PendingWrite]) throws -> [[SimilarMemories]] {
        var found = writes.map { [SimilarMemories](repeating: SimilarMemories(), count: $0.drafts.count) }
        var readers: [IndexKey: [Int]] = [:]
        for (i, write) in writes.enumerated()
        where write.caller.principal.permissions.contains(.read)
            && write.drafts.contains(where: { $0.analysis.canBeSimilar })
        {
            // A duplicate that the writer may not see must not show; whoever reaches nothing is
            // refused when it writes.
            guard let visibility = try? store.visibility(of: write.owner, for: .read, by: write.caller)
            else { continue }
            readers[IndexKey(owner: write.owner, visibility: visibility), default: []].append(i)
        }
        for (key, indices) in readers {
            if indices.allSatisfy({ writes[$0].isBulk }),
                try store.count(owner: key.owner, limit: Self.bulkLimit) == Self.bulkLimit
            {
                continue
            }
            func compare(_ index: some SimilarityIndex) {
                for i in indices {
                    found[i] = index.similarMemories(to: writes[i].drafts)
                }
            }
            let analyses = indices.lazy.flatMap { writes[$0].drafts.lazy.map(\.analysis) }
            // The first write of a process may be its only one, which needs no vectors.
            if isIndexWanted(key) {
                try withIndex(key) { compare($0) }
            } else if let tables = try keptTables(key) {
                compare(tables)
            } else if let words = try sharedWords(of: analyses, key) {
                compare(words)
            } else {
                try withIndex(key) { compare($0) }
            }
        }
        return found
    }

    /// The index that an owner's file of tables holds, with what came since, and without vectors;
    /// nil if there is no such file.
    private func keptTables(_ key: IndexKey) throws -> OwnerIndex? {
        guard let file = tableFile(key),
            let saved = OwnerIndex.savedPosition(at: file, indexKey, owner: key.owner, store)
        else { return nil }
        var index = try OwnerIndex(
            owner: key.owner, vectors: TieredIndex(dimension: 1), tableFile: file,
            indexKey: indexKey)
        let remade = try index.load(
            OwnerIndex.Source(
                store: store, owner: key.owner, visibility: key.visibility, embedder: "",
                former: nil, analyzer: analyzer))
        if !remade.isEmpty { try store.saveAnalyses(remade, owner: key.owner) }
        do { try saveChanges(of: index, key, since: saved) } catch {
            logger.debug("changes of tables were not written", metadata: ["error": "\(error)"])
        }
        return index
    }

    /// Memories in the store with words of some texts; nil if another analyzer made some of them.
    private func sharedWords(of texts: some Sequence<Analysis>, _ key: IndexKey) throws
        -> SharedWords?
    {
        var words = SharedWords(of: texts)
        var isCurrent = true
        try store.forEachTerms(owner: key.owner, visibility: key.visibility) { row in
            isCurrent = words.add(row)
            return isCurrent
        }
        return isCurrent ? words : nil
    }

    /// The outcome of each write: the memory that the store kept, another one where the same was
    /// there before.
    private static func remembered(_ saved: [MemCube], _ steps: [Reconciled]) -> [Remembered] {
        let near = Dictionary(uniqueKeysWithValues: steps.map { ($0.draft, $0.nearDuplicate) })
        let changed = steps.reduce(into: Set<CubeID>()) { $0.formUnion($1.changed) }
        return saved.compactMap { cube in
            guard !cube.provenance.isOriginal,
                near[cube.id] != nil || !changed.contains(cube.id)
            else { return nil }
            return Remembered(
                id: cube.id, type: cube.type, duplicate: near[cube.id] == nil,
                nearDuplicateOf: near[cube.id] ?? nil,
                memory: cube)
        }
    }
}

extension Mutation {
    /// The stored cube that it changes; nil for additions, adoptions and links.
    fileprivate var cube: CubeID? {
        switch self {
        case .update(let cube, _, _), .rollback(let cube, _, _): cube.id
        case .archive(let id), .restore(let id), .merge(let id, _), .freeze(let id),
            .quarantine(let id),
            .release(let id), .invalidate(let id, _), .confirm(let id), .move(let id, _, _),
            .erase(let id):
            id
        case .add, .adopt, .link, .unlink: nil
        }
    }
}
