import Foundation
public import Logging
public import Mneme
import MnemeBase
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
    private let logger: Logger

    /// - Parameters:
    ///   - request: names the message in the audit log.
    ///   - version: the server's own, told to clients.
    ///   - logger: told of failures that are the server's own.
    public init(
        memory: MemoryOS, principal: Principal, request: String? = nil, version: String,
        logger: Logger = Logger(label: "mneme.mcp")
    ) {
        self.logger = logger
        self.request = request
        self.memory = memory
        self.principal = principal
        self.version = version
    }

    /// Answers one message; nil for notifications, which have no answer.
    public func answer(_ message: [UInt8]) async -> String? {
        let json: OrderedJSON
        guard message.count <= Self.maximumMessage else {
            return Self.failure(nil, -32600, "A message has at most \(Self.maximumMessage) bytes.")
                .text
        }
        do { json = try message.withUnsafeBytes { try OrderedJSON(bytes: $0) } } catch {
            return Self.failure(nil, -32700, "The message is not JSON. \(error)").text
        }
        guard let batch = json.elements else { return await answer(json)?.text }
        guard !batch.isEmpty, batch.count <= 100 else {
            return Self.failure(nil, -32600, "A batch has 1 to 100 messages.").text
        }
        var answers: [String] = []
        for each in batch { if let answer = await answer(each) { answers.append(answer.text) } }
        return answers.isEmpty ? nil : "[" + answers.joined(separator: ",") + "]"
    }

    /// An answer. Its id goes back as it came: a `Double` would change whole numbers beyond 2^53.
    private struct Reply {
        let id: OrderedJSON?
        let members: [String: JSONValue]

        var text: String {
            let encoded =
                (try? OperationTable.encode(JSONValue.object(members))) ?? "{\"jsonrpc\":\"2.0\"}"
            return "{\"id\":\((id ?? .null).text)," + encoded.dropFirst()
        }
    }

    private static func failure(
        _ id: OrderedJSON?, _ code: Int, _ message: String, data: JSONValue? = nil
    ) -> Reply {
        var error: [String: JSONValue] = [
            "code": .number(Double(code)), "message": .string(message),
        ]
        error["data"] = data
        return Reply(id: id, members: ["jsonrpc": "2.0", "error": .object(error)])
    }

    private func answer(_ written: OrderedJSON) async -> Reply? {
        let request: JSONValue
        do { request = try JSONValue(written) } catch {
            return Self.failure(nil, -32600, "\(error)")
        }
        guard request.object != nil, request["jsonrpc"]?.string == "2.0" else {
            return Self.failure(nil, -32600, "This is not a JSON-RPC 2.0 message.")
        }
        let id = written["id"]
        guard let method = request["method"]?.string else {
            // An answer to something that we asked; we ask nothing.
            return request["result"] != nil || request["error"] != nil
                ? nil : Self.failure(id, -32600, "'method' is missing.")
        }
        guard let id else { return nil }
        switch id {
        case .string, .number: break
        default: return Self.failure(nil, -32600, "'id' must be a string or a number.")
        }
        let parameters = request["params"] ?? [:]
        let named = parameters["_meta"]?["io.modelcontextprotocol/protocolVersion"]?.string
        if let named, named != Self.statelessRevision, !Self.revisions.contains(named) {
            let supported = ([Self.statelessRevision] + Self.revisions).map { JSONValue.string($0) }
            return Self.failure(
                id, -32022, "Protocol version '\(named.prefix(40))' is not spoken here.",
                data: ["requested": .string(named), "supported": .array(supported)])
        }
        let isStateless = named == Self.statelessRevision || method == "server/discover"
        func success(_ result: JSONValue, cacheable: Bool = false) -> Reply {
            var members = result.object ?? [:]
            if isStateless {
                members["resultType"] = "complete"
                if cacheable {
                    members["ttlMs"] = 3_600_000
                    members["cacheScope"] = "private"
                }
            }
            return Reply(id: id, members: ["jsonrpc": "2.0", "result": .object(members)])
        }
        switch method {
        case "server/discover":
            return success(
                [
                    "supportedVersions": .array(
                        ([Self.statelessRevision] + Self.revisions).map { .string($0) }),
                    "capabilities": Self.capabilities, "serverInfo": serverInfo,
                    "instructions": .string(Self.instructions),
                ], cacheable: true)
        case "initialize":
            let wanted = parameters["protocolVersion"]?.string ?? ""
            return success([
                "protocolVersion": .string(
                    Self.revisions.contains(wanted) ? wanted : Self.revisions[0]),
                "capabilities": Self.capabilities, "serverInfo": serverInfo,
                "instructions": .string(Self.instructions),
            ])
        case "ping": return success([:])
        case "tools/list": return success(["tools": .array(Self.tools)], cacheable: true)
        case "tools/call":
            guard let name = parameters["name"]?.string,
                let operation = Self.operations.first(where: { $0.name == name })
            else {
                return Self.failure(
                    id, -32602,
                    "There is no tool '\(parameters["name"]?.string?.prefix(60) ?? "")'.")
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
    private var serverInfo: JSONValue {
        ["name": "mneme", "title": "Mneme memory", "version": .string(version)]
    }

    private static let operations = OperationTable.all.filter { $0.surfaces.contains(.mcp) }

    private static let tools: [JSONValue] = operations.map { operation in
        [
            "name": .string(operation.name), "title": .string(operation.name.capitalized),
            "description": .string(
                operation.summary + (operation.discussion.isEmpty ? "" : " " + operation.discussion)
            ),
            "inputSchema": operation.inputSchema(.mcp),
            "annotations": [
                "readOnlyHint": .bool(operation.permission == .read),
                "destructiveHint": .bool(operation.permission == .erase),
                "openWorldHint": false,
            ],
        ]
    }

    /// A tool's own failure is a result, so that the model can read it and do better.
    private func call(_ operation: any Mneme.Operation.Type, _ arguments: JSONValue) async
        -> JSONValue
    {
        do {
            guard let arguments = arguments.object else {
                throw InputError("'arguments' must be an object.")
            }
            let output = try await operation.call(
                arguments, OperationContext(memory: memory, principal: principal, request: request),
                surface: .mcp)
            guard case .value(let value) = output else {
                throw InputError("\(operation.name) is not available here.")
            }
            let text = try OperationTable.encode(value)
            return [
                "content": [["type": "text", "text": .string(text)]],
                "structuredContent": try JSONValue(parsing: Array(text.utf8)),
                "isError": false,
            ]
        } catch {
            let failure = ClientError(
                error, log: logger, operation: operation.name, request: self.request)
            return [
                "content": [["type": "text", "text": .string(failure.message)]], "isError": true,
            ]
        }
    }
}
