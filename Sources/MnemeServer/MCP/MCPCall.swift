import Logging
import Mneme
import MnemeStore

/// One call of a tool.
struct MCPCall: Sendable {
    /// The tool.
    let name: String
    /// As the client sent them; anything but an object is the tool's own failure.
    private let arguments: JSONValue

    /// Reads `name` and `arguments` of `tools/call`.
    ///
    /// - Throws: ``MCPError`` if no such tool is offered.
    init(_ parameters: JSONValue, _ tools: MCPToolSet) throws {
        guard let name = parameters["name"]?.string else {
            throw MCPError(.invalidParams, "'name' is missing, a tool's.")
        }
        guard tools.contains(name) else {
            throw MCPError(
                .invalidParams,
                MCPTools.names.contains(name)
                    ? "The tool '\(name)' is not offered here. Start with --tools all, or ?tools=all."
                    : "There is no tool '\(name.prefix(60))'. tools/list names them.")
        }
        (self.name, arguments) = (name, parameters["arguments"] ?? [:])
    }

    /// The tool's answer: lines for the model, and the structure for programs. Its own failure is a
    /// result, too, so that the model can read it and do better.
    ///
    /// - Parameters:
    ///   - context: who calls, and when.
    ///   - base: where HTTP has the memories; nil if it has not.
    ///   - logger: told of failures that are the server's own, which the model is not told of.
    func result(
        memory: MemoryOS, context: OperationContext, base: String?, logger: Logger
    ) async -> [String: JSONValue] {
        do {
            guard let arguments = arguments.object else {
                throw InputError("'arguments' must be an object.")
            }
            let (text, structure) = try await answer(
                arguments, memory: memory, context: context, base: base)
            return [
                "content": [["type": "text", "text": .string(text)]],
                "structuredContent": structure, "isError": false,
            ]
        } catch {
            let failure = ClientError(
                error, log: logger, operation: name, request: context.request)
            return [
                "content": [["type": "text", "text": .string(failure.message)]], "isError": true,
            ]
        }
    }

    /// Runs the tool.
    ///
    /// - Returns: what the model reads, and what programs read.
    /// - Throws: what the operation throws, all of it with a message that says what to do.
    private func answer(
        _ arguments: [String: JSONValue], memory: MemoryOS, context: OperationContext,
        base: String?
    ) async throws -> (text: String, structure: JSONValue) {
        guard let operation = MCPTools.operations.first(where: { $0.name == name }) else {
            let value = try await MCPConnector(memory: memory, context: context, base: base)
                .answer(name, arguments)
            // Connectors read the text as JSON.
            return (try OperationTable.encode(value), value)
        }
        let caller = Caller(
            context.principal, operation: operation.name, request: context.request, time: context.now)
        let whole = try await ShortID.expanded(
            arguments, operation.parameters, memory: memory, by: caller)
        let value = try await MCPTool.answer(operation, whole, context)
        return (
            MCPText.of(name, value),
            MCPOutput.structure(value, of: name, home: context.principal.home)
        )
    }
}
