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
    /// One step is worked on at a time: making one active opens the active ones beside its path again. A step that is moved
    /// goes with all below it, and stays in its task.
    ///
    /// - Throws: `InputError` for an unknown status or a place where the step cannot go, `StoreError` if there is no such
    ///   step, `AccessError`.
    @discardableResult
    public func changeStep(
        _ id: CubeID, _ change: TaskChange, owner: Owner, by caller: Caller = .local
    ) async throws -> TaskView {
        let known = try await steps(around: id, owner, by: caller)
        guard let place = known.steps.firstIndex(where: { $0.cube.id == id }) else {
            throw StoreError(.notFound, "There is no step \(id) in use.")
        }
        let step = known.steps[place].step
        var steps = try moved(step, to: change.place, among: known)
        try apply(change, to: &steps[place])
        if steps[place].status == .active {
            let path = Set(TaskTree(steps, root: known.root).path(to: step.id).map(\.id))
            for i in steps.indices where steps[i].status == .active && !path.contains(steps[i].id) {
                steps[i].status = .open
            }
        }
        let parent = steps[place].parent
        let changed = zip(known.steps, steps).filter { $0.step != $1 || $0.cube.id == id }
        try await run { [self, changed] in
            var mutations = try changed.map { old, step -> Mutation in
                var cube = old.cube
                let (analysis, hash) = try write(step, root: known.root, to: &cube)
                return .update(cube, analysis: analysis, contentHash: hash)
            }
            // It goes with what it is below when that is erased.
            if parent != step.parent, let old = step.parent.flatMap(CubeID.init), let new = parent.flatMap(CubeID.init)
            {
                func edge(_ target: CubeID) -> CubeLink {
                    CubeLink(source: id, target: target, kind: CubeLink.derivedFrom, time: caller.time)
                }
                mutations += [.unlink(edge(old)), .link(edge(new))]
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

    /// The steps of a task after one was moved.
    ///
    /// - Throws: `InputError` for a place where it cannot go.
    private func moved(
        _ step: TaskTree.Step, to place: TaskChange.Place?, among known: (steps: [KnownStep], root: String)
    ) throws -> [TaskTree.Step] {
        let steps = known.steps.map(\.step)
        guard let place else { return steps }
        let (target, mark): (TaskTree.Place, CubeID) =
            switch place {
            case .before(let mark): (.before(mark.description), mark)
            case .below(let mark): (.below(mark.description), mark)
            }
        guard let moved = TaskTree(steps, root: known.root).moved(step.id, to: target) else {
            throw InputError(
                "The step cannot go to \(mark): that has to be another step of its task, not below it; the task itself stays."
            )
        }
        let new = Dictionary(moved.map { ($0.id, $0) }) { first, _ in first }
        return steps.map { new[$0.id] ?? $0 }
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
