import Mneme
public import MnemePipeline

/// An agent that is a language model: before each step it sees the task, what was said, and what its calls brought,
/// and answers with the next call or with a message, as JSON of one schema.
public struct ModelAgent: BenchAgent {
    private let oracle: any Oracle
    /// Bytes of what a model is shown: of the conversation, and of each result.
    private let shown: Int

    /// - Parameters:
    ///   - oracle: the model.
    ///   - shown: bytes of the text that it is shown at most; older results are cut first.
    public init(_ oracle: any Oracle, shown: Int = 12_000) { (self.oracle, self.shown) = (oracle, shown) }

    /// The model's name.
    public var name: String { "\(oracle.name), with tools" }

    /// The form of a step.
    private struct Step: Decodable { var tool: String, path: String, query: String, content: String }

    /// The name that stands for a message instead of a call.
    private static let message = "answer"

    /// The schema of a step.
    private static let schema: String = {
        let names = (AgentTool.allCases.map(\.rawValue) + [message]).map { "\"\($0)\"" }.joined(separator: ",")
        return """
            {"type":"object","properties":{"tool":{"enum":[\(names)]},"path":{"type":"string"},\
            "query":{"type":"string"},"content":{"type":"string"}},\
            "required":["tool","path","query","content"],"additionalProperties":false}
            """
    }()

    /// What a model is told once a step.
    private static let instructions: String = {
        let tools = AgentTool.allCases.map { "- \($0.rawValue): \($0.summary)" }.joined(separator: "\n")
        return """
            You work on a software project through tools. Answer with the next step: a tool with what it needs, other \
            members empty; or the tool "\(message)" with your message in content, which ends the turn. Read files before \
            you write them.
            Tools:
            \(tools)
            """
    }()

    /// Asks for the next step. One that cannot be read twice ends the turn.
    public func act(_ view: AgentView) async throws -> AgentAction {
        let question = OracleQuestion(
            instructions: Self.instructions, text: text(view), schema: Self.schema, schemaName: "step", sources: [],
            maxTokens: 1500)
        guard let step = try await oracle.ask(question, for: Step.self) else {
            return .say("", isDone: true)
        }
        // A name that is no tool goes on to the workspace, which says which there are.
        if step.tool == Self.message { return .say(step.content, isDone: false) }
        let parameters = ["path": step.path, "query": step.query, "content": step.content].filter { !$0.value.isEmpty }
        return .call(step.tool, parameters)
    }

    /// What the model sees: the task and the newest of the rest, each result cut to its share.
    private func text(_ view: AgentView) -> String {
        let head =
            "Task: \(view.scenario.title)\n\(view.scenario.task.prefix(shown / 3))\n"
            + "Files that matter: \(view.scenario.contextFiles.prefix(40).joined(separator: ", "))\n"
        // Steps share half of what is shown; a step has a few lines at least.
        let each = max(300, shown / 2 / max(1, view.steps.count))
        let said = view.history.suffix(6).map { "\($0.role): \($0.content.prefix(600))" }
        let done = view.steps.map { step in
            let call = step.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.prefix(80))" }
            return "\(step.function) \(call.joined(separator: " ")):\n\(step.result.text.prefix(each))"
        }
        let rest = (said + ["user: \(view.message.prefix(1200))"] + done).joined(separator: "\n")
        return head + String(rest.suffix(max(600, shown - head.count)))
    }
}
