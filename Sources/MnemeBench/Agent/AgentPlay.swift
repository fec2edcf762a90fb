import Foundation
import Mneme

/// Plays one scenario: the user's part by its phases, the agent's by a ``BenchAgent``, the tools by an
/// ``AgentWorkspace``.
public struct AgentPlay {
    /// What came of it.
    public struct Result: Sendable {
        /// What was said and done.
        public var session: AgentSession
        /// Files that searches named, by the order in which they came; and files that were read.
        public var found: [String] = [], read: [String] = []
        /// Tokens of what the agent was shown and said, at four bytes each.
        public var tokens = 0
    }

    /// Calls of one turn at most.
    private static let mostSteps = 24

    private let scenario: AgentScenario, agent: any BenchAgent, workspace: AgentWorkspace
    private var result: Result
    private var failed = 0

    /// A play that has not begun.
    public init(_ scenario: AgentScenario, _ agent: any BenchAgent, _ workspace: AgentWorkspace) {
        (self.scenario, self.agent, self.workspace) = (scenario, agent, workspace)
        result = Result(session: AgentSession(scenario: scenario.id))
    }

    /// Plays all phases, until the turns of the scenario are used up.
    ///
    /// - Throws: `StoreError`, `CancellationError`, and what a model throws.
    public mutating func run() async throws -> Result {
        for phase in scenario.phases where result.session.turns < scenario.turns {
            var message: String? = phase.prompt
            var turns = 0
            while let said = message, turns < phase.turns, result.session.turns < scenario.turns {
                turns += 1
                message = try await turn(phase, said)
            }
        }
        // The authors' runtime_efficiency takes this for failed executions.
        let calls = result.session.calls.count
        result.session.errorRate = calls > 0 ? Double(failed) / Double(calls) : 0
        result.session.modified = workspace.modified
        return result
    }

    /// One turn.
    ///
    /// - Returns: what the user says next; nil if the phase is over.
    private mutating func turn(_ phase: AgentScenario.Phase, _ message: String) async throws -> String? {
        // What the agent sees is fixed when its turn begins; its own steps are added as they come.
        result.session.turns += 1
        var view = AgentView(
            scenario: scenario, phase: phase.id, message: message, turn: result.session.turns,
            history: result.session.messages, read: Set(result.read))
        result.session.messages.append(AgentSession.Message("user", message))
        result.tokens += message.utf8.count / 4
        var answer = ""
        var isDone = false
        while true {
            try Task.checkCancellation()
            guard view.steps.count < Self.mostSteps else { break }
            let action = try await agent.act(view)
            guard case .call(let function, let parameters) = action else {
                if case .say(let text, let ends) = action { (answer, isDone) = (text, ends) }
                break
            }
            view.steps.append(try await step(phase.id, function, parameters))
        }
        result.session.messages.append(AgentSession.Message("assistant", answer))
        result.tokens += answer.utf8.count / 4
        return isDone ? nil : next(phase, view.steps, answer)
    }

    /// A call of a tool: done, counted and kept.
    private mutating func step(_ phase: String, _ function: String, _ parameters: [String: String]) async throws
        -> AgentStep
    {
        let done = try await workspace.answer(function, parameters)
        result.session.calls.append(
            AgentSession.Call(
                turn: result.session.turns, phase: phase, function: String(function.prefix(80)), parameters: parameters)
        )
        result.tokens += (done.text.utf8.count + parameters.values.reduce(0) { $0 + $1.utf8.count }) / 4
        failed += done.isFailed ? 1 : 0
        switch AgentTool(rawValue: function) {
        case .readFile where !done.isFailed: result.read += done.files
        case .semanticSearch, .searchCode: result.found += done.files
        default: break
        }
        return AgentStep(function: function, parameters: parameters, result: done)
    }

    /// What the user says behind a turn: nothing if a condition's words stand in the answer or an expected call was
    /// made, else a follow-up that fits what was done.
    private func next(_ phase: AgentScenario.Phase, _ steps: [AgentStep], _ answer: String) -> String? {
        let answer = answer.lowercased()
        if phase.conditions.contains(where: { answer.contains($0.lowercased()) }) { return nil }
        let functions = Set(steps.map { $0.function.lowercased() })
        if phase.actions.contains(where: { functions.contains($0.lowercased()) }) { return nil }
        if functions.contains(where: { $0.contains("read") || $0.contains("list") }),
            let text = phase.followUps["file_read"]
        {
            return text
        }
        return phase.followUps["analysis_started"] ?? phase.followUps.min { $0.key < $1.key }?.value
    }
}
