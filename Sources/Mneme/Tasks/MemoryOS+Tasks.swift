import Foundation
import MnemeBase
import MnemePipeline
public import MnemeStore

extension MemoryOS {
    /// Begins a task, or adds a step below one.
    ///
    /// Each step is a memory of the type procedural, tagged `task`; those below a step go when it is erased.
    ///
    /// - Parameters:
    ///   - change: what the step says; its text is needed.
    ///   - parent: the step that it belongs to; nil begins a task.
    ///   - scope: whose step it is.
    ///   - caller: needs to read and to write.
    /// - Throws: `InputError` without a text, `StoreError` if there is no such step, `AccessError`.
    /// - Complexity: linear in the steps of all tasks of the owner.
    @discardableResult
    public func addStep(
        _ change: TaskChange, below parent: CubeID? = nil, scope: Scope, by caller: Caller = .local
    ) async throws -> TaskView {
        guard let text = change.text, text.contains(where: { !$0.isWhitespace }) else {
            throw InputError("A step has a text.")
        }
        var root = ""
        var order = 0
        var parentCube: MemCube?
        if let parent {
            let known = try await steps(around: parent, scope.owner, by: caller)
            root = known.root
            order = (known.steps.filter { $0.step.parent == parent.description }.map(\.step.order).max() ?? -1) + 1
            parentCube = known.steps.first { $0.cube.id == parent }?.cube
        }
        let source =
            parentCube == nil ? Provenance(source: StepMemory.reference) : Provenance(source: Provenance.recipe)
        var cube = MemCube(
            scope: scope, type: .procedural, text: "", eventTime: caller.time, recordedTime: caller.time,
            provenance: source)
        // Two steps of one wording are two.
        cube.provenance.reference = "\(StepMemory.reference) \(cube.id)"
        if let parentCube {
            cube.scope = parentCube.scope
            cube.sensitivity = parentCube.sensitivity
        }
        var step = TaskTree.Step(id: cube.id.description, parent: parent?.description, order: order, text: text)
        try apply(change, to: &step)
        cube.tags = [StepMemory.tag]
        let id = cube.id
        let made = (cube, step, root.isEmpty ? id.description : root)
        try await run { [self] in
            var cube = made.0
            let (analysis, hash) = try write(made.1, root: made.2, to: &cube)
            let links = parent.map {
                [CubeLink(source: id, target: $0, kind: CubeLink.derivedFrom, time: caller.time)]
            }
            try store.commit(
                [.add(cube, analysis: analysis, contentHash: hash, links: links ?? [])], owner: scope.owner, by: caller)
        }
        scheduleEmbedding()
        return try await task(of: id, owner: scope.owner, by: caller)
    }

    /// Changes a step: a next version of its memory, so that only what holds now is in the prompt and `history` has the rest.
    ///
    /// One step is worked on at a time: making one active opens the active ones beside its path again.
    ///
    /// - Throws: `InputError` for an unknown status, `StoreError` if there is no such step, `AccessError`.
    @discardableResult
    public func changeStep(
        _ id: CubeID, _ change: TaskChange, owner: Owner, by caller: Caller = .local
    ) async throws -> TaskView {
        let known = try await steps(around: id, owner, by: caller)
        guard let place = known.steps.firstIndex(where: { $0.cube.id == id }) else {
            throw StoreError(.notFound, "There is no step \(id) in use.")
        }
        var step = known.steps[place].step
        try apply(change, to: &step)
        var changed = [(known.steps[place].cube, step)]
        if step.status == .active {
            let path = Set(TaskTree(known.steps.map(\.step), root: known.root).path(to: step.id).map(\.id))
            for other in known.steps where other.step.status == .active && !path.contains(other.step.id) {
                var open = other.step
                open.status = .open
                changed.append((other.cube, open))
            }
        }
        try await run { [self, changed] in
            let mutations = try changed.map { cube, step -> Mutation in
                var cube = cube
                let (analysis, hash) = try write(step, root: known.root, to: &cube)
                return .update(cube, analysis: analysis, contentHash: hash)
            }
            try store.commit(mutations, owner: owner, by: caller)
        }
        scheduleEmbedding()
        return try await task(of: id, owner: owner, by: caller)
    }

    /// The task that a step belongs to, as it stands.
    ///
    /// - Throws: `StoreError` if there is no such step, `AccessError`.
    public func task(of id: CubeID, owner: Owner, by caller: Caller = .local) async throws -> TaskView {
        let known = try await steps(around: id, owner, by: caller)
        let tree = TaskTree(known.steps.map(\.step), root: known.root)
        let prompt = tree.prompt
        let ids = Dictionary(known.steps.map { ($0.step.id, $0.cube.id) }) { first, _ in first }
        return TaskView(
            task: ids[known.root] ?? id, step: id, active: tree.active.flatMap { ids[$0.id] }, prompt: prompt,
            tokens: embedder?.tokenCount(prompt) ?? prompt.utf8.count / 4 + 1,
            steps: tree.steps.compactMap { step, depth in
                ids[step.id].map {
                    TaskView.Step(
                        id: $0, text: step.text, status: step.status.rawValue, depth: depth, result: step.result)
                }
            })
    }

    /// A step with the memory that it is.
    private struct KnownStep {
        var cube: MemCube
        var step: TaskTree.Step
    }

    /// The steps in use of the task that a step belongs to, and the task's id.
    private func steps(around id: CubeID, _ owner: Owner, by caller: Caller) async throws -> (
        steps: [KnownStep], root: String
    ) {
        let cubes = try await kept(StepMemory.tag, owner, agent: nil, by: caller)
        guard let root = cubes.first(where: { $0.id == id }).flatMap(StepMemory.read)?.root else {
            throw StoreError(.notFound, "There is no step \(id) in use. `mneme list --tag task` shows them.")
        }
        let policy = try await run { [store] in try store.policy(of: owner.tenant) }
        let items = cubes.filter { StepMemory.read($0)?.root == root }.map {
            RecalledMemory(memory: $0, score: 0, explanation: [:], matched: [], duplicates: [])
        }
        // What reads like an instruction to a model comes into no prompt.
        return (
            screened(items, policy).passed.compactMap { item in
                StepMemory.read(item.memory).map { KnownStep(cube: item.memory, step: $0.step) }
            }, root
        )
    }

    /// Takes a change into a step.
    private func apply(_ change: TaskChange, to step: inout TaskTree.Step) throws {
        if let text = change.text { step.text = text }
        if let status = change.status {
            guard let status = TaskTree.Status(rawValue: status) else {
                throw InputError(
                    "A status is one of \(TaskTree.Status.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            step.status = status
        }
        // Each is a line.
        if let constraints = change.constraints {
            step.constraints = constraints.map { $0.split(whereSeparator: \.isNewline).joined(separator: " ") }
                .filter { !$0.isEmpty }
        }
        if let input = change.input { step.input = input }
        if let needs = change.needs { step.needs = needs.map(\.description) }
        if let result = change.result { step.result = result }
    }

    /// Writes a step to its memory, and makes it ready to be stored.
    ///
    /// - Throws: `InputError` for a step that would be quarantined: it could come into no prompt.
    private func write(_ step: TaskTree.Step, root: String, to cube: inout MemCube) throws -> (
        analysis: [UInt8], contentHash: [UInt8]
    ) {
        cube.text = StepMemory.text(step)
        cube.metadata = StepMemory.metadata(step, root: root)
        let ready = try describe(&cube)
        guard cube.state != .quarantined else {
            throw InputError(
                "The step reads like an instruction to a model (\(cube.caution?.joined(separator: ", ") ?? "")). "
                    + "Steps come into prompts: word it otherwise.")
        }
        return ready
    }
}
