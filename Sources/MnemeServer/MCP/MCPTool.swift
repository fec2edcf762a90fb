import Foundation
import Mneme

/// One tool: how an operation answers over MCP, and the form of a definition.
enum MCPTool {
    /// Hints of tools that change nothing.
    static let readingHints: [String: JSONValue] = ["readOnlyHint": true, "openWorldHint": false]

    /// An operation's answer over MCP, as JSON.
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
        return MCPOutput.withholding(
            try JSONValue(parsing: Array(try OperationTable.encode(value).utf8)))
    }

    /// A tool's definition.
    ///
    /// - Parameters:
    ///   - input: the schema of its arguments.
    ///   - output: the schema of its structure.
    ///   - hints: what a host may conclude before it asks its user.
    static func definition(
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
}
