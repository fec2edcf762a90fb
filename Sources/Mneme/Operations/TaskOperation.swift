import MnemeBase
public import MnemeStore

/// task: work in steps.
public enum TaskOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "task"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary =
        "Keep a task as a tree of steps with status, inputs and results, and get the prompt of the active step."
    /// What the parameters do together.
    public static let discussion = """
        Without an id a text begins a task. With the id of a step, 'add' puts a step below it; 'text', 'status', 'constraint', \
        'input', 'needs' and 'result' change it, 'before' and 'below' move it with all below it; nothing of these shows it. \
        The prompt has the way from the task to the active step, all that must hold there, and the results that it needs. \
        A task has files as well: with an id, 'file' and 'content' write one, 'file' alone gives its text; without, all are \
        listed by their first lines, so that whoever works on a step reads only what it needs.
        """
    /// `write`; the steps known so far are read, so that `read` is needed as well.
    public static let permission = Permission.write
    /// `POST`: all is in the body.
    public static let route: Route? = Route(.post, "/v1/tasks")

    static let text = Parameter<String>(
        "text", "What is to be done; with an id, its new wording.", positional: true)
    static let id = Parameter<CubeID>("id", "The step, or the task, that is meant.")
    static let add = Parameter<String>("add", "A step to put below the one that is meant.")
    static let status = Parameter<StepStatus>("status", "How the step stands.")
    static let constraint = Parameter<[String]>(
        "constraint", "What must hold for the step and all below it; replaces what had to hold before.")
    static let given = Parameter<String>("input", "What the step starts from.")
    static let needs = Parameter<[String]>("needs", "Ids of steps whose results it takes.")
    static let result = Parameter<String>("result", "What came of it.")
    static let before = Parameter<CubeID>("before", "The step that it is moved in front of.")
    static let below = Parameter<CubeID>("below", "The step that it is moved below, behind what is there.")

    static let file = Parameter<String>(
        "file", "A file of the task by its path, such as notes/plan.md; its text is given, or written.")
    static let content = Parameter<String>("content", "What the file holds from now on.")

    /// What is to be done or the step that is meant, what is to be written of it, the scope.
    public static let parameters: [any AnyParameter] =
        [text, id, add, status, constraint, given, needs, result, before, below, file, content]
        + [MemoryParameters.reason]
        + ScopeParameters.all

    /// Begins, adds to, changes or shows a task.
    ///
    /// - Throws: `InputError` for what does not go together, `StoreError` if there is no such step, `AccessError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let scope = try ScopeParameters.scope(input, context)
        let caller = context.caller(self, reason: input[MemoryParameters.reason])
        if input[file] != nil || input[content] != nil { try await writeFile(input, context, scope, by: caller) }
        let view = try await step(input, context, scope, by: caller)
        return .value(
            try await context.memory.withFiles(view, text: input[file], owner: scope.owner, by: caller))
    }

    /// Writes a file if there is something to write.
    private static func writeFile(
        _ input: OperationInput, _ context: OperationContext, _ scope: Scope, by caller: Caller
    ) async throws {
        guard let path = input[file] else { throw InputError("'content' needs 'file': the path that it goes to.") }
        guard let id = input[id] else { throw InputError("'file' needs 'id': the task, or a step of it.") }
        guard let text = input[content] else { return }
        try await context.memory.write(TaskFile(path: path, text: text), ofTask: id, scope: scope, by: caller)
    }

    /// Begins, adds to, changes or shows a task.
    private static func step(
        _ input: OperationInput, _ context: OperationContext, _ scope: Scope, by caller: Caller
    ) async throws -> TaskView {
        var change = TaskChange(text: input[text])
        change.status = input[status]?.rawValue
        change.constraints = input[constraint]
        change.input = input[given]
        change.needs = try input[needs].map { try $0.map(Self.stepID) }
        change.result = input[result]
        change.place = try place(input)
        guard let id = input[id] else {
            guard input[add] == nil else { throw InputError("'add' needs 'id': the step that it goes below.") }
            guard change.place == nil else {
                throw InputError("'before' and 'below' need 'id': the step that is moved.")
            }
            return try await context.memory.addStep(change, scope: scope, by: caller)
        }
        if let added = input[add] {
            guard change.text == nil else { throw InputError("'add' is the text of a new step: leave 'text' out.") }
            guard change.place == nil else { throw InputError("'add' puts a step below 'id': move it afterwards.") }
            change.text = added
            return try await context.memory.addStep(change, below: id, scope: scope, by: caller)
        }
        let isShown =
            change.text == nil && change.status == nil && change.constraints == nil && change.input == nil
            && change.needs == nil && change.result == nil && change.place == nil
        return isShown
            ? try await context.memory.task(of: id, owner: scope.owner, by: caller)
            : try await context.memory.changeStep(id, change, owner: scope.owner, by: caller)
    }

    private static func place(_ input: OperationInput) throws -> TaskChange.Place? {
        switch (input[before], input[below]) {
        case (nil, nil): nil
        case (let mark?, nil): .before(mark)
        case (nil, let mark?): .below(mark)
        case (_?, _?): throw InputError("A step is moved 'before' another or 'below' one: leave one of them out.")
        }
    }

    private static func stepID(_ text: String) throws -> CubeID {
        guard let id = CubeID(text) else { throw InputError("'needs': '\(text.prefix(60))' is no id of a step.") }
        return id
    }
}

/// How a step stands.
enum StepStatus: String, CaseIterable, ParameterValue {
    case open
    case active
    case done
    case failed
    case dropped
}
