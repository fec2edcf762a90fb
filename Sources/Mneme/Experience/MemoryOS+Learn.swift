import Foundation
import MnemeBase
import MnemePipeline
public import MnemeStore

/// How an attempt at a task ended.
public struct TaskOutcome: Sendable {
    /// The task in words.
    public var task: String
    /// What was tried.
    public var approach: String
    /// How good the end was, from 0 (it failed) to 1.
    public var reward: Double
    /// What it teaches.
    public var lesson: String?

    /// A task, what was tried, and how good the end was.
    public init(task: String, approach: String, reward: Double, lesson: String? = nil) {
        self.task = task
        self.approach = approach
        self.reward = reward
        self.lesson = lesson
    }
}

/// What an outcome has taught.
public struct Learned: Sendable, Codable {
    /// The case: what was tried, with the value that it has now.
    public var memory: MemCube
    /// Like cases whose value the outcome has changed.
    public var changed: [CubeID]
    /// What the cases of this kind have in common, if several ended well.
    public var procedure: MemCube?
}

extension MemoryOS {
    /// Cases and procedures of one owner that are looked at.
    static let keptCases = 10_000

    /// Keeps how an attempt ended: as a case, in the values of like cases, and as a procedure once several ended well.
    ///
    /// - Parameters:
    ///   - outcome: the task, what was tried, and how well it ended.
    ///   - scope: whose case it becomes.
    ///   - caller: needs to read and to write; cases that it may not see neither count nor change.
    /// - Throws: `InputError` for an empty task or approach, or a reward out of 0 to 1; `AccessError`, `StoreError`.
    /// - Complexity: linear in the owner's cases.
    @discardableResult
    public func learn(_ outcome: TaskOutcome, scope: Scope, by caller: Caller = .local) async throws -> Learned {
        for text in [outcome.task, outcome.approach] where !text.contains(where: { !$0.isWhitespace }) {
            throw InputError("A task and what was tried are needed.")
        }
        guard (0...1).contains(outcome.reward) else {
            throw InputError("A reward lies between 0 (it failed) and 1 (it went well).")
        }
        let cubes = try await kept(CaseMemory.tag, scope.owner, agent: scope.agent, by: caller)
        let cases = cubes.compactMap { cube in CaseMemory.read(cube).map { (cube: cube, known: $0) } }
        let changes = recipe.outcomes.changes(
            TaskCase(
                task: outcome.task, approach: outcome.approach, value: outcome.reward, time: caller.time,
                lesson: outcome.lesson), among: cases.map(\.known))
        let made = try await keep(changes, cases.map(\.cube), scope, by: caller)
        let changed = changes.values.keys.sorted().filter { cases[$0].cube.state != .frozen }
        try await run { [self] in
            let mutations = try changed.map { place in
                var known = cases[place].known
                known.value = changes.values[place] ?? known.value
                return try update(cases[place].cube, known)
            }
            if !mutations.isEmpty { try store.commit(mutations, owner: scope.owner, by: caller) }
        }
        let procedure = try await generalise(changes, cases.map(\.cube), made, by: caller)
        scheduleEmbedding()
        return Learned(memory: made, changed: changed.map { cases[$0].cube.id }, procedure: procedure)
    }

    /// Memories in use of a kind that the caller may read, oldest first.
    func kept(_ tag: String, _ owner: Owner, agent: String?, by caller: Caller) async throws -> [MemCube] {
        var filter = CubeFilter(owner: owner, limit: 1000)
        (filter.tag, filter.agent) = (tag, agent)
        var found: [MemCube] = []
        while found.count < Self.keptCases {
            let page = try await run { [store, filter] in try store.list(filter, by: caller) }
            found += page.filter {
                $0.state.isRecallable && $0.isPlaintext && $0.expires ?? .distantFuture > caller.time
            }
            guard page.count == filter.limit else { break }
            filter.after = page.last?.id
        }
        return found
    }

    /// Writes the case of an outcome: a new memory, or the next version of one.
    private func keep(
        _ changes: OutcomeChanges, _ cubes: [MemCube], _ scope: Scope, by caller: Caller
    ) async throws -> MemCube {
        if let known = changes.known, cubes[known].state != .frozen {
            return try await run { [self] in
                let mutation = try update(cubes[known], changes.made)
                return try store.commit([mutation], owner: scope.owner, by: caller)[0]
            }
        }
        var input = MemoryInput(CaseMemory.text(changes.made), eventTime: caller.time)
        input.type = .procedural
        input.tags = [CaseMemory.tag]
        input.metadata = CaseMemory.metadata(changes.made)
        guard let made = try await remember([input], scope: scope, by: caller).first else {
            throw InputError("The recipe in use kept nothing of it; cases need one that keeps texts.")
        }
        return made.memory
    }

    /// The mutation that gives a case its new values.
    private func update(_ cube: MemCube, _ known: TaskCase) throws -> Mutation {
        var cube = cube
        cube.text = CaseMemory.text(known)
        cube.metadata.merge(CaseMemory.metadata(known)) { $1 }
        let (analysis, hash) = try describe(&cube)
        return .update(cube, analysis: analysis, contentHash: hash)
    }

    /// Writes what the cases of a kind have in common, or gives up what holds no more.
    private func generalise(
        _ changes: OutcomeChanges, _ cubes: [MemCube], _ made: MemCube, by caller: Caller
    ) async throws -> MemCube? {
        let owner = made.scope.owner
        let known = try await kept(CaseMemory.procedureTag, owner, agent: made.scope.agent, by: caller)
            .filter { $0.state != .frozen }
        return try await run { [self] in
            let touched = Set(changes.values.keys.map { cubes[$0].id }).union([made.id])
            let same = try known.first { cube in
                guard let read = CaseMemory.readProcedure(cube) else { return false }
                return try TaskCase.isSame(read.approach, changes.made.approach)
                    && store.links(of: cube.id, owner: owner, by: caller).contains {
                        $0.source == cube.id && touched.contains($0.target)
                    }
            }
            guard let procedure = changes.procedure else {
                let values = changes.values.values + [changes.made.value]
                if let same, values.reduce(0, +) / Double(values.count) < recipe.outcomes.leastProcedureValue {
                    try store.commit([.archive(same.id)], owner: owner, by: caller)
                }
                return nil
            }
            let sources = procedure.cases.map { $0 < cubes.count ? cubes[$0] : made }
            var cube =
                same
                ?? MemCube(
                    scope: Scope(tenant: owner.tenant, user: owner.user, agent: made.scope.agent), type: .procedural,
                    text: "", eventTime: caller.time, recordedTime: caller.time,
                    provenance: Provenance(source: Provenance.recipe, reference: CaseMemory.reference))
            cube.text = CaseMemory.text(procedure)
            cube.tags = [CaseMemory.procedureTag]
            cube.metadata = CaseMemory.metadata(procedure)
            // Whoever may not see a case may not see what was made of it either.
            cube.sensitivity = sources.map(\.sensitivity).max() ?? made.sensitivity
            let links = sources.map {
                CubeLink(source: cube.id, target: $0.id, kind: CubeLink.derivedFrom, time: caller.time)
            }
            let (analysis, hash) = try describe(&cube)
            let first: Mutation =
                same == nil
                ? .add(cube, analysis: analysis, contentHash: hash, links: links)
                : .update(cube, analysis: analysis, contentHash: hash)
            return try store.commit(
                [first] + (same == nil ? [] : links.map { .link($0) }), owner: owner, by: caller
            ).first
        }
    }
}
