import MnemeIndex
import MnemeStore

/// How a group of writes becomes one transaction.
extension MemoryOS {
    /// Memories of an owner up to which imports look for near duplicates: the search needs the
    /// owner's index.
    private static let bulkLimit = 50_000

    /// Reconciles a group of writes with what is stored, and commits them together.
    func commit(_ writes: [PendingWrite]) -> [Result<[Remembered], any Error>] {
        do {
            let likenesses = try likenesses(of: writes)
            let steps = zip(writes, likenesses).map { write, likenesses in
                zip(write.drafts, likenesses).map { reconcile($0, $1, of: write) }
            }
            let requests = zip(writes, steps).map { write, steps in
                WriteRequest(
                    steps.flatMap(\.mutations), owner: write.owner, by: write.caller,
                    idempotencyKey: write.idempotencyKey)
            }
            return zip(steps, try store.commit(requests)).map { steps, saved in
                saved.map { Self.remembered($0, steps) }
            }
        } catch { return writes.map { _ in .failure(error) } }
    }

    /// What becomes of one draft.
    private struct Reconciled {
        var draft: CubeID
        var mutations: [Mutation] = []
        var nearDuplicate: CubeID?
        /// Other memories that are changed.
        var changed: Set<CubeID> = []
    }

    private func reconcile(_ draft: PreparedDraft, _ likeness: Likeness, of write: PendingWrite)
        -> Reconciled
    {
        var cube = draft.cube
        // What was learned once is known again in other words.
        if write.learns, likeness.isLikeQuarantined, cube.vouchedBy == nil, cube.state == .activated {
            cube.state = .quarantined
            cube.caution = (cube.caution ?? []) + [GuardSignal.lesson.rawValue]
        }
        var result = Reconciled(draft: cube.id)
        let operations = recipe.reconciler.operations(
            for: cube, among: likeness.neighbours, at: write.caller.time)
        for operation in operations {
            switch operation {
            case .add(let added, let links):
                // A recipe may have changed the words; the index is of the words that are stored.
                let analysis =
                    added.text == draft.cube.text
                    ? draft.analysis : Analysis(of: added, analyzer: analyzer)
                result.nearDuplicate = links.first { $0.kind == CubeLink.nearDuplicateOf }?.target
                result.mutations.append(
                    .add(
                        added, analysis: analysis.encoded, contentHash: draft.contentHash,
                        links: draft.links + links))
            case .change(let mutation):
                if let target = mutation.cube { result.changed.insert(target) }
                result.mutations.append(mutation)
            }
        }
        return result
    }

    /// For each draft of each write, the memories from before the group that are like it.
    private func likenesses(of writes: [PendingWrite]) throws -> [[Likeness]] {
        var found = writes.map { [Likeness](repeating: Likeness(), count: $0.drafts.count) }
        var readers: [IndexKey: [Int]] = [:]
        for (i, write) in writes.enumerated()
        where write.caller.principal.permissions.contains(.read) {
            // A duplicate out of the writer's sight must not show; whoever reaches nothing is
            // refused when it writes.
            guard let sight = try? store.visibility(of: write.owner, for: .read, by: write.caller)
            else { continue }
            readers[IndexKey(owner: write.owner, visibility: sight), default: []].append(i)
        }
        for (key, indices) in readers {
            if indices.allSatisfy({ writes[$0].isBulk }),
                try store.count(owner: key.owner, limit: Self.bulkLimit) == Self.bulkLimit
            {
                continue
            }
            func compare(_ index: some LikenessIndex) {
                for i in indices {
                    found[i] = writes[i].drafts.map { index.likeness(to: $0.analysis) }
                }
            }
            if let words = try wordsOnly(key) {
                compare(words)
            } else {
                try withIndex(key) { compare($0) }
            }
        }
        return found
    }

    /// The words of what is in sight, for the first write of a process, which may be its only one;
    /// nil where the whole index is held already, or will be of use.
    private func wordsOnly(_ key: IndexKey) throws -> WordIndex? {
        guard !isIndexWanted(key) else { return nil }
        let all = try store.changes(
            owner: key.owner, since: 0, vectorsSince: .max, embedder: "", visibility: key.visibility
        )
        return WordIndex(all.rows)
    }

    /// What the store kept, which is another memory where the same was there before.
    private static func remembered(_ saved: [MemCube], _ steps: [Reconciled]) -> [Remembered] {
        let near = Dictionary(uniqueKeysWithValues: steps.map { ($0.draft, $0.nearDuplicate) })
        let changed = steps.reduce(into: Set<CubeID>()) { $0.formUnion($1.changed) }
        return saved.compactMap { cube in
            guard cube.provenance.source != Provenance.redaction,
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
