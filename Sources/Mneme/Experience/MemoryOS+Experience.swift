import MnemeBase
import MnemeIndex
public import MnemePipeline
public import MnemeStore

/// What recall offers for a task instead of what answers a question.
public enum ExperienceKind: String, Sendable, Codable, CaseIterable {
    /// What was tried for like tasks, and how it ended.
    case cases = "case"
    /// What worked for several like tasks.
    case procedures = "procedure"
}

extension MemoryOS {
    /// What was learned for tasks like this one, the best first: similarity times the value that outcomes gave.
    ///
    /// Cases that failed come last, as what not to do. Of the filters, agent, limit and token budget hold.
    ///
    /// - Throws: `InputError` for a task without words, `AccessError`, `StoreError`.
    /// - Complexity: linear in the owner's cases or procedures.
    public func experience(_ kind: ExperienceKind, for request: RecallRequest, by caller: Caller = .local)
        async throws -> RecallResult
    {
        let clock = ContinuousClock()
        let start = clock.now
        guard request.query.utf8.count <= MemoryLimits.questionBytes,
            !TextAnalyzer.words(request.query).isEmpty
        else { throw InputError("A task has words, and \(MemoryLimits.questionBytes) bytes at most.") }
        let tag = kind == .cases ? CaseMemory.tag : CaseMemory.procedureTag
        let cubes = try await kept(tag, request.owner, agent: request.agent, by: caller)
        let found: [(cube: MemCube, offer: CaseOffer)]
        switch kind {
        case .cases:
            let known = cubes.compactMap { cube in CaseMemory.read(cube).map { (cube, $0) } }
            found = recipe.outcomes.offers(for: request.query, among: known.map(\.1)).map {
                (known[$0.place].0, $0)
            }
        case .procedures:
            let known = cubes.compactMap { cube in CaseMemory.readProcedure(cube).map { (cube, $0) } }
            found = recipe.outcomes.offers(for: request.query, among: known.map { ($0.1.about, $0.1.value) }).map {
                (known[$0.place].0, $0)
            }
        }
        var items = found.prefix(request.limit).map { item in
            RecalledMemory(
                memory: item.cube, score: item.offer.score,
                explanation: ["similarity": item.offer.similarity, "value": item.offer.value], matched: [],
                duplicates: [])
        }
        var tokens = 0
        items = items.filter { item in
            let size = embedder?.tokenCount(item.memory.text) ?? item.memory.text.utf8.count / 4 + 1
            guard tokens + size <= request.tokenBudget ?? .max else { return false }
            tokens += size
            return true
        }
        let policy = try await run { [store] in try store.policy(of: request.owner.tenant) }
        let (passed, held) = screened(items, policy)
        return RecallResult(
            memories: passed, considered: cubes.count, tokens: tokens,
            milliseconds: (clock.now - start) / .milliseconds(1), pendingEmbeddings: 0, quarantined: held)
    }
}
