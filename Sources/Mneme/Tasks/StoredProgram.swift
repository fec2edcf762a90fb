import MnemeBase
public import MnemePipeline
public import MnemeStore

/// Does a task step by step with a language model whose window is shorter than what comes of it: a stored program, after
/// L2MAC [57].
///
/// The steps of the task are the instructions, its files the store. A control unit has each step done by itself: the prompt
/// holds the step, what must hold for it, which files there are, and those that the model asked to read, as far as they fit
/// into the window; nothing of earlier steps but what they wrote. What the model writes is checked before it is kept, and
/// what the check finds goes back to the model.
public struct StoredProgram: Sendable {
    /// Bounds of a run.
    public struct Limits: Sendable {
        /// Tokens of a prompt and of an answer at most.
        public var promptTokens = 2_000, answerTokens = 1_000
        /// Turns of one step until it counts as failed.
        public var turns = 8

        /// The usual ones.
        public init() {}
    }

    /// What became of a task.
    public struct Outcome: Sendable, Equatable {
        /// Steps that were done, and those that failed.
        public var done = 0, failed = 0
        /// Questions to the model, writes that a check refused, and tokens of the longest prompt.
        public var turns = 0, refused = 0, longestPrompt = 0
    }

    /// Says what is wrong with a file beside the others of its task, in a sentence for the model; nil if nothing is.
    public typealias Check = @Sendable (_ file: TaskFile, _ others: [TaskFile]) -> String?

    private let memory: MemoryOS, oracle: any Oracle, limits: Limits, check: Check

    /// - Parameters:
    ///   - memory: holds the task and its files.
    ///   - oracle: does the steps.
    ///   - limits: of prompts, answers and turns.
    ///   - check: judges every write.
    public init(
        _ memory: MemoryOS, oracle: any Oracle, limits: Limits = Limits(), check: @escaping Check = { _, _ in nil }
    ) {
        (self.memory, self.oracle, self.limits, self.check) = (memory, oracle, limits, check)
    }

    /// What the model answers: files to read, files to write, and what came of the step once it is done.
    private struct Reply: Decodable {
        var read: [String]?
        var write: [TaskFile]?
        var result: String?
    }

    /// Does all steps that are open, in their order.
    ///
    /// A step is done when the model says what came of it in a turn in which nothing was refused; one that is not after
    /// all turns has failed, and the run ends, as later steps may need it.
    ///
    /// - Parameters:
    ///   - task: the task, or a step of it.
    ///   - scope: whose task it is.
    ///   - caller: needs to read and to write.
    /// - Throws: `InputError` for a step that alone is longer than the window, what the model throws, `StoreError`,
    ///   `AccessError`.
    public func run(_ task: CubeID, scope: Scope, by caller: Caller = .local) async throws -> Outcome {
        var outcome = Outcome()
        var view = try await memory.task(of: task, owner: scope.owner, by: caller)
        while let step = view.active {
            var change = TaskChange()
            change.status = "active"
            view = try await memory.changeStep(step, change, owner: scope.owner, by: caller)
            let result = try await perform(view, &outcome, scope, by: caller)
            (change.status, change.result) = (result == nil ? "failed" : "done", result)
            view = try await memory.changeStep(step, change, owner: scope.owner, by: caller)
            outcome.done += result == nil ? 0 : 1
            outcome.failed += result == nil ? 1 : 0
            if result == nil { break }
        }
        return outcome
    }

    /// Does the active step.
    ///
    /// - Returns: what came of it; nil if the turns were not enough.
    private func perform(_ view: TaskView, _ outcome: inout Outcome, _ scope: Scope, by caller: Caller)
        async throws -> String?
    {
        var wanted: [String] = []
        var notes: [String] = []
        for _ in 0..<limits.turns {
            let files = try await memory.files(ofTask: view.task, owner: scope.owner, by: caller)
            let window = ProgramWindow(tokens: limits.promptTokens) { [memory] in
                memory.embedder?.tokenCount($0) ?? $0.utf8.count / 4 + 1
            }
            let prompt = try window.prompt(view.prompt, files: files, wanted: wanted, notes: notes)
            outcome.turns += 1
            outcome.longestPrompt = max(outcome.longestPrompt, window.count(prompt))
            let question = OracleQuestion(
                instructions: ProgramWindow.instructions, text: prompt, schema: ProgramWindow.schema,
                schemaName: "step", sources: [view.step.description], maxTokens: limits.answerTokens)
            guard let reply = try await oracle.ask(question, for: Reply.self) else {
                notes = ["The answer did not follow the schema."]
                continue
            }
            notes = []
            for file in reply.write ?? [] {
                if let fault = try await refusal(of: file, view.task, scope, by: caller) {
                    notes.append("\(file.path) was not written: \(fault)")
                    outcome.refused += 1
                }
            }
            if let result = reply.result, notes.isEmpty { return result }
            wanted = reply.read ?? wanted
        }
        return nil
    }

    /// Checks a file and writes it.
    ///
    /// - Returns: why it was not written; nil if it was.
    private func refusal(of file: TaskFile, _ task: CubeID, _ scope: Scope, by caller: Caller) async throws -> String? {
        let others = try await memory.files(ofTask: task, owner: scope.owner, by: caller)
        if let fault = check(file, others.filter { $0.path != file.path }) { return fault }
        do {
            try await memory.write(file, ofTask: task, scope: scope, by: caller)
            return nil
        } catch let error as InputError { return error.message }
    }
}
