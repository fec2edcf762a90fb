import Foundation
import Mneme
import MnemeStore

/// The tools: operations of the table, and those that connectors ask for.
enum MCPTools {
    /// Operations that are tools.
    static let operations = OperationTable.all.filter { $0.surfaces.contains(.mcp) }
    /// Tools besides the operations.
    static let connectorNames = [MCPConnector.searchName, MCPConnector.fetchName]
    /// Every tool's name, in the order in which they are listed.
    static let names = operations.map { $0.name } + connectorNames

    /// Tools of the core, with the parameters that their brief descriptions name.
    static let coreParameters: [String: [String]] = [
        "remember": ["text", "messages", "speaker", "time", "tag", "session", "user"],
        "recall": ["query", "limit", "from", "before", "tag", "user"],
        "list": ["limit", "after", "session", "tag", "user"],
        "get": ["id", "user"],
        "update": ["id", "text", "user"],
        "forget": ["id", "reason", "user"],
    ]
    /// Parameters whose names say what they are.
    private static let plainNames: Set<String> = [
        "text", "messages", "speaker", "tag", "session", "user", "query", "reason", "id",
    ]

    /// The definitions of the tools of a set that a principal may use: one that always fails is of
    /// no use to a model.
    static func definitions(_ set: MCPToolSet, for principal: Principal) -> [JSONValue] {
        names.filter(set.contains).compactMap { name in
            guard let operation = operations.first(where: { $0.name == name }) else {
                return principal.permissions.contains(.read)
                    ? MCPConnector.definition(name) : nil
            }
            guard principal.permissions.contains(operation.permission) else { return nil }
            return definition(
                operation, parameters: set.brief.contains(name) ? coreParameters[name] : nil,
                for: principal)
        }
    }

    /// An operation as a tool: its schema, description and hints.
    ///
    /// - Parameter parameters: those that are described; all if nil.
    private static func definition(
        _ operation: any Mneme.Operation.Type, parameters: [String]?, for principal: Principal
    ) -> JSONValue {
        let isBrief = parameters != nil
        let described = operation.parameters.filter {
            $0.surfaces.contains(.mcp) && (parameters?.contains($0.name) ?? true)
                && isUseful($0.name, to: principal, isBrief: isBrief)
        }
        var input: [String: JSONValue] = [
            "type": "object",
            "properties": .object(
                Dictionary(
                    uniqueKeysWithValues: described.map {
                        ($0.name, schema($0, isBrief: isBrief))
                    })),
        ]
        let required = described.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { input["required"] = .array(required) }
        // A brief description leaves parameters out that are taken.
        if !isBrief { input["additionalProperties"] = false }
        return MCPTool.definition(
            operation.name, description: description(of: operation, isBrief: isBrief),
            input: .object(input),
            output: MCPOutput.schema(of: operation.name), hints: hints(operation))
    }

    /// A tool's description for the model.
    private static func description(
        of operation: any Mneme.Operation.Type, isBrief: Bool
    ) -> String {
        // Reasons are for people: a model gets what they led to.
        if operation == RecallOperation.self {
            return "Find the memories that best answer a question, the best first."
        }
        let more = isBrief || operation.discussion.isEmpty ? "" : " " + operation.discussion
        return operation.summary + more
    }

    /// True if a parameter can be of use to a principal.
    private static func isUseful(_ name: String, to principal: Principal, isBrief: Bool) -> Bool {
        switch name {
        // No grant leads to another tenant; what others share is rarely asked for.
        case "tenant": principal.tenant == nil
        case "user": principal.user == nil || !isBrief
        case "agent": principal.agent == nil
        case "trusted": principal.permissions.contains(.share)
        default: true
        }
    }

    /// A parameter's schema; briefly without what its name says already.
    private static func schema(_ parameter: any AnyParameter, isBrief: Bool) -> JSONValue {
        guard isBrief else {
            return ShortID.isTaken(by: parameter)
                ? ShortID.schema(parameter.help) : parameter.schema
        }
        var schema = parameter.schema.object ?? [:]
        let note = Date.schema["description"]?.string ?? ""
        let isDate = schema["description"]?.string?.hasSuffix(note) ?? false
        // A short id is no UUID.
        schema["format"] = nil
        schema["description"] =
            plainNames.contains(parameter.name)
            ? nil : .string(firstSentence(parameter.help) + (isDate ? " Such as 2026-03-01." : ""))
        return .object(schema)
    }

    /// A help text up to its first full stop.
    private static func firstSentence(_ text: String) -> String {
        text.range(of: ". ").map { text[..<$0.lowerBound] + "." } ?? text
    }

    /// Hints by which a host decides whether to ask its user. Only `erase` destroys: every other
    /// change leaves the version before in the history.
    private static func hints(_ operation: any Mneme.Operation.Type) -> [String: JSONValue] {
        guard operation.permission != .read else { return MCPTool.readingHints }
        return [
            "readOnlyHint": false, "openWorldHint": false,
            "destructiveHint": .bool(operation.permission == .erase),
            "idempotentHint": .bool(!countsRepetition.contains(operation.name)),
        ]
    }

    /// Operations that do something more when they are repeated.
    private static let countsRepetition: Set<String> = ["rollback", "correct", "feedback", "learn"]
}
