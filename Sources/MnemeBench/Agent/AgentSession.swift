public import Mneme
import MnemeBase

/// What an agent said and did in one scenario, in the form in which LoCoBench-Agent's evaluation reads it:
/// the messages, the calls of tools in order, and the files that it wrote.
public struct AgentSession: Sendable, Equatable {
    /// A message: of the `user`, or of the `assistant`.
    public struct Message: Sendable, Equatable {
        /// Who says it, and what.
        public var role: String, content: String

        /// A message of a role.
        public init(_ role: String, _ content: String) { (self.role, self.content) = (role, content) }
    }

    /// A call of a tool.
    public struct Call: Sendable, Equatable {
        /// The turn, counted from 1 over the session, and the phase.
        public var turn: Int, phase: String
        /// The tool's function, and the texts that it was called with.
        public var function: String, parameters: [String: String]

        /// A call of a turn, its function and what it was called with.
        public init(turn: Int, phase: String, function: String, parameters: [String: String]) {
            (self.turn, self.phase, self.function, self.parameters) = (turn, phase, function, parameters)
        }

        /// The file that it is about, by whichever name says so; nil for none.
        public var path: String? {
            ["path", "target_file", "file_path"].lazy.compactMap { parameters[$0] }.first { !$0.isEmpty }
        }
        /// Whether it reads or searches, and whether it writes, as the authors tell by its name.
        public var isRead: Bool { has(["read_file", "list_directory", "grep", "search"]) }
        /// As ``isRead``, of writing.
        public var isWrite: Bool { has(["write_file", "edit_file", "create_file"]) }

        private func has(_ names: [String]) -> Bool {
            let function = function.lowercased()
            return names.contains(where: function.contains)
        }
    }

    /// The scenario's id.
    public var scenario: String
    /// What was said and done, in order.
    public var messages: [Message] = [], calls: [Call] = []
    /// Contents of the files that were written, by path.
    public var modified: [String: String] = [:]
    /// Turns taken, and the share of calls that failed.
    public var turns = 0, errorRate = 0.0

    /// A session in which nothing happened yet.
    public init(scenario: String) { self.scenario = scenario }

    // MARK: Files

    /// Messages, calls and files of a recorded session at most.
    private static let most = 100_000

    /// Reads a recorded session: `conversation_history`, `tool_usage_log`, `modified_files`, as the authors'
    /// program writes them. What is not needed is passed over.
    ///
    /// - Throws: `InputError` that names the member that is of another form.
    public init(_ value: JSONValue) throws {
        let fields = try BenchFields(value)
        scenario = try fields.text("scenario_id") ?? fields.text("session_id") ?? "session"
        let history = try fields.list("conversation_history")
        let log = try fields.list("tool_usage_log")
        let files = value["modified_files"]
        guard history != nil || log != nil || files != nil else {
            throw InputError(
                "This is no session: 'conversation_history', 'tool_usage_log' and 'modified_files' are missing.")
        }
        guard (history ?? []).count <= Self.most, (log ?? []).count <= Self.most else {
            throw InputError("A session has \(Self.most) messages and calls at most.")
        }
        messages = try (history ?? []).map { entry in
            let message = try BenchFields(entry)
            return Message(try message.text("role") ?? "", message.value("content").flatMap(BenchFields.plain) ?? "")
        }
        calls = try (log ?? []).map { try Self.call($0) }
        if let files, files != .null {
            guard let files = files.object else { throw InputError("'modified_files' must hold contents by path.") }
            modified = try files.mapValues { content in
                guard let text = content.string else { throw InputError("'modified_files' must hold texts.") }
                return text
            }
        }
        turns = (fields.value("total_turns")?.double).flatMap { Int(exactly: $0) } ?? calls.map(\.turn).max() ?? 0
        errorRate = fields.value("error_rate")?.double ?? 0
        guard errorRate.isFinite else { throw InputError("'error_rate' must be a number.") }
    }

    /// One entry of the log of tools; parameters that are no texts are left out.
    private static func call(_ entry: JSONValue) throws -> Call {
        let fields = try BenchFields(entry)
        let call = try fields.object("tool_call")
        let parameters = call?.value("parameters")?.object ?? [:]
        return Call(
            turn: (fields.value("turn")?.double).flatMap { Int(exactly: $0) } ?? 0,
            phase: try fields.text("phase") ?? "",
            function: try call?.text("function_name") ?? "", parameters: parameters.compactMapValues(\.string))
    }

    /// The session as the authors' program would have written it.
    public var json: JSONValue {
        let history: [JSONValue] = messages.map { ["role": .string($0.role), "content": .string($0.content)] }
        let log: [JSONValue] = calls.map { call in
            let made: JSONValue = [
                "tool_name": .string(call.function), "function_name": .string(call.function),
                "parameters": .object(call.parameters.mapValues { .string($0) }),
            ]
            return ["turn": .number(Double(call.turn)), "phase": .string(call.phase), "tool_call": made]
        }
        return [
            "scenario_id": .string(scenario), "total_turns": .number(Double(turns)), "error_rate": .number(errorRate),
            "conversation_history": .array(history), "tool_usage_log": .array(log),
            "modified_files": .object(modified.mapValues { .string($0) }),
        ]
    }
}
