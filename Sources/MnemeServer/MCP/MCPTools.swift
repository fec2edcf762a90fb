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
        "recall": ["query", "limit", "from", "before", "at", "tag", "user"],
        "list": ["limit", "after", "session", "tag", "from", "before", "user"],
        "get": ["id", "user"],
        "update": ["id", "text", "tag", "user"],
        "forget": ["id", "reason", "user"],
    ]

    /// What an operation answers over MCP, as JSON.
    ///
    /// - Throws: `InputError` for wrong arguments, and what the operation throws.
    static func answer(
        _ operation: any Mneme.Operation.Type, _ arguments: [String: JSONValue],
        _ context: OperationContext
    ) async throws -> JSONValue {
        let output = try await operation.call(arguments, context, surface: .mcp)
        guard case .value(let value) = output else {
            throw InputError("\(operation.name) is not available here.")
        }
        return try JSONValue(parsing: Array(try OperationTable.encode(value).utf8))
    }

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
        let more = isBrief || operation.discussion.isEmpty ? "" : " " + operation.discussion
        return tool(
            operation.name, description: operation.summary + more, input: .object(input),
            output: MCPOutput.schema(of: operation.name), hints: hints(operation))
    }

    /// A tool's definition.
    static func tool(
        _ name: String, description: String, input: JSONValue, output: JSONValue,
        hints: [String: JSONValue]
    ) -> JSONValue {
        let title = JSONValue.string(name.prefix(1).uppercased() + name.dropFirst())
        // Before 2025-06-18 a title was a hint.
        return [
            "name": .string(name), "title": title, "description": .string(description),
            "inputSchema": input, "outputSchema": output,
            "annotations": .object(hints.merging(["title": title]) { $1 }),
        ]
    }

    /// Whether a parameter can be of use to a principal.
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

    private static func schema(_ parameter: any AnyParameter, isBrief: Bool) -> JSONValue {
        if ShortID.isTaken(by: parameter) { return ShortID.schema(parameter.help) }
        guard isBrief, var schema = parameter.schema.object else { return parameter.schema }
        let isDate = Date.schema["description"].map {
            schema["description"]?.string?.hasSuffix($0.string ?? "") ?? false
        }
        schema["description"] = .string(
            parameter.help + (isDate ?? false ? " Such as 2026-03-01." : ""))
        return .object(schema)
    }

    /// What a host may conclude before it asks its user. Only `erase` destroys: every other change
    /// leaves the version before in the history.
    private static func hints(_ operation: any Mneme.Operation.Type) -> [String: JSONValue] {
        guard operation.permission != .read else { return readingHints }
        return [
            "readOnlyHint": false, "openWorldHint": false,
            "destructiveHint": .bool(operation.permission == .erase),
            "idempotentHint": .bool(!countsRepetition.contains(operation.name)),
        ]
    }

    /// Hints of tools that change nothing.
    static let readingHints: [String: JSONValue] = ["readOnlyHint": true, "openWorldHint": false]

    /// Operations that do something more when they are repeated.
    private static let countsRepetition: Set<String> = ["rollback", "correct", "feedback"]
}
