import Foundation
import MnemeBase
public import MnemeStore

/// learn: what was tried for a task, and how it ended.
public enum LearnOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "learn"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary =
        "Keep what was tried for a task, how it ended and what it teaches, so that recall offers what works."
    /// How it is offered again.
    public static let discussion = """
        'recall' with 'kind' case or procedure offers it for a task: by similarity times a value that outcomes change. Several \
        like cases that end well become a procedure.
        """
    /// `write`; the cases known so far are read, so that `read` is needed as well.
    public static let permission = Permission.write
    /// `POST`: all is in the body.
    public static let route: Route? = Route(.post, "/v1/experience")

    static let task = Parameter<String>("task", "The task.", required: true, positional: true)
    static let tried = Parameter<String>("tried", "What was tried.", required: true)
    static let outcome = Parameter<TaskEnd>("outcome", "How it ended; 'reward' says it more finely.")
    static let reward = Parameter<Double>(
        "reward", "How good the end was: 0 is a failure, 1 a full success.", range: 0...1)
    static let lesson = Parameter<String>("lesson", "What it teaches.")

    /// The task and what was tried (required), its end as a word or a number, a lesson, the scope.
    public static let parameters: [any AnyParameter] =
        [task, tried, outcome, reward, lesson] + ScopeParameters.all

    /// Keeps one outcome.
    ///
    /// - Throws: `InputError` without an outcome, or with two; `AccessError`, `StoreError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        guard let reward = input[reward] ?? input[outcome].map({ $0 == .success ? 1 : 0 }),
            input[Self.reward] == nil || input[outcome] == nil
        else { throw InputError("Say how it ended: 'outcome' (success or failure) or 'reward' (0 to 1).") }
        let end = TaskOutcome(
            task: try input.require(task), approach: try input.require(tried), reward: reward, lesson: input[lesson])
        return .value(
            try await context.memory.learn(
                end, scope: try ScopeParameters.scope(input, context), by: context.caller(self)))
    }
}

/// How an attempt ended, in a word.
enum TaskEnd: String, CaseIterable, ParameterValue {
    case success
    case failure
}
