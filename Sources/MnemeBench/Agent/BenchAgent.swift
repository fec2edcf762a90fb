/// What an agent sees before it acts.
public struct AgentView: Sendable {
    /// The scenario; its files are behind the tools.
    public var scenario: AgentScenario
    /// The phase, and what the user said in this turn.
    public var phase: String, message: String
    /// The turn, counted from 1 over the session.
    public var turn: Int
    /// What was done in this turn so far, in order.
    public var steps: [AgentStep] = []
    /// What the user and the agent said before.
    public var history: [AgentSession.Message] = []
    /// Files that were read so far.
    public var read: Set<String> = []
}

/// A call, and what came of it.
public struct AgentStep: Sendable {
    /// The tool's function, and what it was called with.
    public var function: String, parameters: [String: String]
    /// What came of it.
    public var result: AgentToolResult
}

/// What an agent does next.
public enum AgentAction: Sendable, Equatable {
    /// Calls a tool.
    case call(String, [String: String])
    /// Ends the turn with a message; the last one if there is nothing more to do in the phase.
    case say(String, isDone: Bool)
}

/// Plays the agent's part in a scenario.
public protocol BenchAgent: Sendable {
    /// Says in a line who acts, for the evaluation card.
    var name: String { get }
    /// The next step of a turn.
    ///
    /// Throws what a model throws.
    func act(_ view: AgentView) async throws -> AgentAction
}
