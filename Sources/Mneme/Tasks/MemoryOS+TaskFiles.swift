import MnemeBase
import MnemePipeline
public import MnemeStore

/// Files of tasks: memories beside the steps, which go with the task when it is erased.
extension MemoryOS {
    /// The files of the task that a step belongs to, by their paths.
    ///
    /// - Throws: `StoreError` if there is no such step, `AccessError`.
    /// - Complexity: linear in the steps and files of all tasks of the owner.
    public func files(ofTask id: CubeID, owner: Owner, by caller: Caller = .local) async throws -> [TaskFile] {
        let root = try await task(of: id, owner: owner, by: caller).task
        return try await keptFiles(of: root, owner, by: caller).map(\.file).sorted { $0.path < $1.path }
    }

    /// Writes a file of a task: a new one, or the next version of the one at its path, so that `history` has the former.
    ///
    /// - Parameters:
    ///   - file: what is written; its path is one within the task, not of this machine.
    ///   - id: the task, or a step of it.
    ///   - scope: whose file it is.
    ///   - caller: needs to read and to write.
    /// - Returns: the memory that it is.
    /// - Throws: `InputError` for a path that is none, and for a text that would be quarantined: it could come into no
    ///   prompt; `StoreError` if there is no such step, `AccessError`.
    @discardableResult
    public func write(
        _ file: TaskFile, ofTask id: CubeID, scope: Scope, by caller: Caller = .local
    ) async throws -> CubeID {
        if let fault = TaskFileMemory.fault(in: file.path) { throw InputError(fault) }
        let root = try await task(of: id, owner: scope.owner, by: caller).task
        let known = try await keptFiles(of: root, scope.owner, by: caller).first { $0.file.path == file.path }?.cube
        return try await run { [self] in
            var cube =
                known
                ?? MemCube(
                    scope: scope, type: .procedural, text: "", eventTime: caller.time, recordedTime: caller.time,
                    provenance: Provenance(source: Provenance.recipe))
            cube.text = TaskFileMemory.text(file)
            cube.metadata = TaskFileMemory.metadata(file, root: root.description)
            if known == nil {
                cube.provenance.reference = "\(StepMemory.reference) \(cube.id)"
                cube.tags = [TaskFileMemory.tag]
            }
            let (analysis, hash) = try describe(&cube)
            guard cube.state != .quarantined else {
                throw InputError(
                    "The file reads like an instruction to a model (\(cube.caution?.joined(separator: ", ") ?? "")). "
                        + "Files come into prompts: word it otherwise.")
            }
            let link = CubeLink(source: cube.id, target: root, kind: CubeLink.derivedFrom, time: caller.time)
            let mutation: Mutation =
                known == nil
                ? .add(cube, analysis: analysis, contentHash: hash, links: [link])
                : .update(cube, analysis: analysis, contentHash: hash)
            return try store.commit([mutation], owner: scope.owner, by: caller)[0].id
        }
    }

    /// A task as it stands with its files, and the text of one of them.
    ///
    /// - Parameters:
    ///   - view: the task without its files.
    ///   - path: the file whose text is wanted; nil wants none.
    ///   - owner: whose task it is.
    ///   - caller: needs to read.
    /// - Throws: `InputError` if there is no such file, `StoreError`, `AccessError`.
    func withFiles(_ view: TaskView, text path: String?, owner: Owner, by caller: Caller) async throws -> TaskView {
        let files = try await keptFiles(of: view.task, owner, by: caller).map(\.file).sorted { $0.path < $1.path }
        if let path, !files.contains(where: { $0.path == path }) {
            throw InputError("The task has no file '\(path.prefix(60))': 'content' writes one.")
        }
        var view = view
        view.files =
            files.isEmpty
            ? nil
            : files.map { file in
                TaskView.File(
                    path: file.path, outline: file.outline,
                    tokens: embedder?.tokenCount(file.text) ?? file.text.utf8.count / 4 + 1,
                    text: file.path == path ? file.text : nil)
            }
        return view
    }

    /// Files in use of one task, with the memories that they are.
    private func keptFiles(of root: CubeID, _ owner: Owner, by caller: Caller) async throws
        -> [(cube: MemCube, file: TaskFile)]
    {
        try await kept(TaskFileMemory.tag, owner, agent: nil, by: caller).compactMap { cube in
            guard cube.caution == nil, let known = TaskFileMemory.read(cube), known.root == root.description else {
                return nil
            }
            return (cube, known.file)
        }
    }
}
