import Foundation
public import Mneme
public import MnemeStore

/// The Model Context Protocol over JSON-RPC 2.0: tools from the operation table.
///
/// Stateless between messages, so that standard input and HTTP share it.
/// Protocol: https://modelcontextprotocol.io/specification
public struct MCPSession: Sendable {
    /// The revision without a handshake: each request names its version, and every result its kind.
    static let statelessRevision = "2026-07-28"
    /// Revisions that begin with `initialize`, the newest first.
    static let revisions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]
    /// The longest message that is read, in bytes.
    public static let maximumMessage = 8 << 20

    private let memory: MemoryOS
    private let principal: Principal
    private let request: String?
    private let version: String

    /// - Parameters:
    ///   - request: names the message in the audit log.
    ///   - version: the server's own, told to clients.
    public init(memory: MemoryOS, principal: Principal, request: String? = nil, version: String) {
        self.request = request
        self.memory = memory
        self.principal = principal
        self.version = version
    }

    /// Answers one message; nil for notifications, which have no answer.
    public func answer(_ message: [UInt8]) async -> String? {
        guard let json = try? JSONDecoder().decode(JSONValue.self, from: Data(message)) else {
            return encode(Self.failure(.null, -32700, "The message is not JSON."))
        }
        if let batch = json.array {
            guard !batch.isEmpty, batch.count <= 100 else { return encode(Self.failure(.null, -32600, "A batch has 1 to 100 messages.")) }
            var answers: [JSONValue] = []
            for each in batch { if let answer = await answer(each) { answers.append(answer) } }
            return answers.isEmpty ? nil : encode(.array(answers))
        }
        return await answer(json).map(encode)
    }

    private func encode(_ value: JSONValue) -> String { (try? OperationTable.encode(value)) ?? "{}" }

    private static func failure(_ id: JSONValue, _ code: Int, _ message: String) -> JSONValue {
        ["jsonrpc": "2.0", "id": id, "error": ["code": .number(Double(code)), "message": .string(message)]]
    }

    private func answer(_ request: JSONValue) async -> JSONValue? {
        guard request.object != nil, request["jsonrpc"]?.string == "2.0" else { return Self.failure(.null, -32600, "This is not a JSON-RPC 2.0 message.") }
        let id = request["id"]
        guard let method = request["method"]?.string else {
            // An answer to something that we asked; we ask nothing.
            return request["result"] != nil || request["error"] != nil ? nil : Self.failure(id ?? .null, -32600, "'method' is missing.")
        }
        guard let id else { return nil }
        switch id {
        case .string, .number: break
        default: return Self.failure(.null, -32600, "'id' must be a string or a number.")
        }
        let parameters = request["params"] ?? [:]
        let named = parameters["_meta"]?["io.modelcontextprotocol/protocolVersion"]?.string
        if let named, named != Self.statelessRevision, !Self.revisions.contains(named) {
            var failure = Self.failure(id, -32022, "Protocol version '\(named.prefix(40))' is not spoken here.").object ?? [:]
            var error = failure["error"]?.object ?? [:]
            error["data"] = ["requested": .string(named), "supported": .array(([Self.statelessRevision] + Self.revisions).map { .string($0) })]
            failure["error"] = .object(error)
            return .object(failure)
        }
        let isStateless = named == Self.statelessRevision || method == "server/discover"
        func success(_ result: JSONValue, cacheable: Bool = false) -> JSONValue {
            var members = result.object ?? [:]
            if isStateless {
                members["resultType"] = "complete"
                if cacheable {
                    members["ttlMs"] = 3_600_000
                    members["cacheScope"] = "private"
                }
            }
            return ["jsonrpc": "2.0", "id": id, "result": .object(members)]
        }
        switch method {
        case "server/discover":
            return success(
                [
                    "supportedVersions": .array(([Self.statelessRevision] + Self.revisions).map { .string($0) }),
                    "capabilities": Self.capabilities, "serverInfo": serverInfo, "instructions": .string(Self.instructions),
                ], cacheable: true)
        case "initialize":
            let wanted = parameters["protocolVersion"]?.string ?? ""
            return success([
                "protocolVersion": .string(Self.revisions.contains(wanted) ? wanted : Self.revisions[0]),
                "capabilities": Self.capabilities, "serverInfo": serverInfo, "instructions": .string(Self.instructions),
            ])
        case "ping": return success([:])
        case "tools/list": return success(["tools": .array(Self.tools)], cacheable: true)
        case "tools/call":
            guard let name = parameters["name"]?.string, let operation = Self.operations.first(where: { $0.name == name }) else {
                return Self.failure(id, -32602, "There is no tool '\(parameters["name"]?.string?.prefix(60) ?? "")'.")
            }
            return success(await call(operation, parameters["arguments"] ?? [:]))
        case "resources/list": return success(["resources": []], cacheable: true)
        case "prompts/list": return success(["prompts": []], cacheable: true)
        default: return Self.failure(id, -32601, "The method '\(method.prefix(60))' is not known.")
        }
    }

    private static let capabilities: JSONValue = ["tools": ["listChanged": false]]
    private static let instructions = """
        Long-term memory. Call recall before answering about people, plans or earlier conversations; call remember for what should last.
        """
    private var serverInfo: JSONValue { ["name": "mneme", "title": "Mneme memory", "version": .string(version)] }

    private static let operations = OperationTable.all.filter { $0.surfaces.contains(.mcp) }

    private static let tools: [JSONValue] = operations.map { operation in
        [
            "name": .string(operation.name), "title": .string(operation.name.capitalized),
            "description": .string(operation.summary + (operation.discussion.isEmpty ? "" : " " + operation.discussion)),
            "inputSchema": operation.inputSchema(.mcp),
            "annotations": [
                "readOnlyHint": .bool(operation.permission == .read), "destructiveHint": .bool(operation.permission == .erase),
                "openWorldHint": false,
            ],
        ]
    }

    /// A tool's own failure is a result, so that the model can read it and do better.
    private func call(_ operation: any Mneme.Operation.Type, _ arguments: JSONValue) async -> JSONValue {
        do {
            guard let arguments = arguments.object else { throw InputError("'arguments' must be an object.") }
            let output = try await operation.call(arguments, OperationContext(memory: memory, principal: principal, request: request), surface: .mcp)
            guard case .value(let value) = output else { throw InputError("\(operation.name) is not available here.") }
            let text = try OperationTable.encode(value)
            return [
                "content": [["type": "text", "text": .string(text)]], "structuredContent": try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)),
                "isError": false,
            ]
        } catch {
            return ["content": [["type": "text", "text": .string(ClientError(error).message)]], "isError": true]
        }
    }
}
