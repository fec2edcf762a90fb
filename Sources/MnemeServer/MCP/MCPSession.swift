import Foundation
public import Logging
public import Mneme
import MnemeBase
public import MnemeStore

/// The Model Context Protocol over JSON-RPC 2.0: tools from the operation table, memories as
/// resources, and prompts.
///
/// Keeps nothing between messages, so that standard input and HTTP share it.
/// Protocol: https://modelcontextprotocol.io/specification
public struct MCPSession: Sendable {
    /// The longest message that is read, in bytes.
    public static let maximumMessage = MCPMessage.maximumBytes

    /// The memory that is served.
    private let memory: MemoryOS
    /// The caller.
    private let principal: Principal
    /// Names the message in the audit log.
    private let request: String?
    /// The server's own version.
    private let version: String
    /// Tools that may be offered.
    private let tools: MCPToolSet
    /// The base URL of memories over HTTP.
    private let base: String?
    /// Told of failures that are the server's own.
    private let logger: Logger

    /// A session for one caller.
    ///
    /// - Parameters:
    ///   - memory: what tools and resources reach.
    ///   - principal: who asks; only tools that it may use are offered.
    ///   - request: names the message in the audit log.
    ///   - version: the server's own, told to clients.
    ///   - tools: those offered.
    ///   - base: where HTTP has the memories, such as `https://memory.example.org`.
    ///   - logger: told of failures that are the server's own.
    public init(
        memory: MemoryOS, principal: Principal, request: String? = nil, version: String,
        tools: MCPToolSet = .all, base: String? = nil,
        logger: Logger = Logger(label: "mneme.mcp")
    ) {
        self.memory = memory
        self.principal = principal
        self.request = request
        self.version = version
        self.tools = tools
        self.base = base
        self.logger = logger
    }

    /// Answers one text, with a message or a batch of them; nil where none of them wants an answer.
    public func answer(_ text: [UInt8]) async -> String? {
        let (messages, isBatch) = MCPMessage.read(text)
        var answers: [String] = []
        for message in messages {
            switch message {
            case .request(let request): answers.append(await reply(to: request).text)
            case .malformed(let reply): answers.append(reply.text)
            case .notification, .unasked: break
            }
        }
        guard !answers.isEmpty else { return nil }
        return isBatch ? "[" + answers.joined(separator: ",") + "]" : answers[0]
    }

    /// Answers one request.
    ///
    /// - Parameter notify: takes notices of progress, if the request asked for them.
    func reply(
        to request: MCPRequest, notify: (@Sendable (String) -> Void)? = nil
    ) async -> MCPReply {
        do {
            try request.check()
            let result = try await self.result(of: request, notify: notify)
            return MCPReply(
                id: request.id,
                result: request.isStateless || request.method == "server/discover"
                    ? result.stateless(server: serverInfo) : .object(result.members))
        } catch {
            return MCPReply(id: request.id, error: protocolError(error, request))
        }
    }

    /// True if a request is answered from what is known without a look at any memory.
    ///
    /// Such a request need not wait for calls that came before it.
    static func isImmediate(_ method: String) -> Bool {
        !["tools/call", "resources/list", "resources/read", "prompts/get"].contains(method)
    }

    /// Carries out a method.
    ///
    /// - Throws: ``MCPError``, or what the method throws.
    private func result(
        of request: MCPRequest, notify: (@Sendable (String) -> Void)?
    ) async throws -> MCPResult {
        let parameters = request.parameters
        switch request.method {
        case "server/discover":
            return MCPResult(
                description.merging([
                    "supportedVersions": .array(MCPRevision.all.map { .string($0) })
                ]) { $1 }, lifetime: MCPResult.listLifetime)
        // The newest revision has no handshake, and no ping.
        case "initialize" where !request.isStateless:
            let wanted = parameters["protocolVersion"]?.string
            return MCPResult(
                description.merging([
                    "protocolVersion": .string(MCPRevision.negotiated(wanted)),
                    "serverInfo": serverInfo,
                ]) { $1 })
        case "ping" where !request.isStateless: return MCPResult([:])
        case "tools/list":
            try requireFirstPage(parameters)
            return MCPResult(
                ["tools": .array(MCPTools.definitions(tools, for: principal))],
                lifetime: MCPResult.listLifetime)
        case "tools/call":
            let call = try MCPCall(parameters, tools)
            return MCPResult(
                await MCPProgress(request, notify).report(call.name) {
                    await call.result(
                        memory: memory, context: context, base: base, logger: logger)
                })
        case "resources/list":
            return try await resources.list(after: parameters["cursor"])
        case "resources/templates/list":
            try requireFirstPage(parameters)
            return MCPResources.templates
        case "resources/read":
            return try await resources.read(parameters["uri"]?.string)
        case "prompts/list":
            try requireFirstPage(parameters)
            return MCPPrompts.list(for: principal)
        case "prompts/get":
            return try await MCPPrompts(context: context)
                .get(parameters["name"]?.string, parameters["arguments"])
        default:
            throw MCPError(
                .methodNotFound, "The method '\(request.method.prefix(60))' is not known.")
        }
    }

    /// Lists that are one page have no cursor to go on from.
    private func requireFirstPage(_ parameters: JSONValue) throws {
        guard let cursor = parameters["cursor"], cursor != .null else { return }
        throw MCPError(.invalidParams, "'cursor' is none that a page ended with: there is but one.")
    }

    /// An error as the protocol tells it: of arguments that somebody has to change, or of ours.
    private func protocolError(_ error: any Error, _ request: MCPRequest) -> MCPError {
        if let error = error as? MCPError { return error }
        let failure = ClientError(
            error, log: logger, operation: request.method, request: self.request)
        switch failure.errorClass {
        case .notFound where !request.isStateless:
            return MCPError(.resourceNotFound, failure.message)
        case .input, .notFound, .forbidden, .conflict, .tooLarge:
            return MCPError(.invalidParams, failure.message)
        default: return MCPError(.failed, failure.message)
        }
    }

    /// The context of operations; "now" is the moment at which it is asked for.
    private var context: OperationContext {
        OperationContext(memory: memory, principal: principal, request: request)
    }
    /// Memories as resources, read by the caller of this message.
    private var resources: MCPResources { MCPResources(context: context, memory: memory) }

    // MARK: What the server says of itself

    /// Name and version.
    private var serverInfo: JSONValue {
        ["name": "mneme", "title": "Mneme memory", "version": .string(version)]
    }

    /// Members that the answers to `initialize` and `server/discover` have in common.
    private var description: [String: JSONValue] {
        [
            "capabilities": ["tools": [:], "resources": [:], "prompts": [:]],
            "instructions": .string(instructions),
        ]
    }

    /// Instructions that hosts put before their model: when to use which tool, and the form of
    /// answers.
    private var instructions: String {
        func isOffered(_ name: String, _ permission: Permission) -> Bool {
            tools.contains(name) && principal.permissions.contains(permission)
        }
        let parts = [
            "Long-term memory.",
            isOffered(RecallOperation.name, .read)
                ? "Call recall before answering about people, plans or earlier conversations." : nil,
            isOffered(RememberOperation.name, .write)
                ? "Call remember for what should last." : nil,
            "Each line of an answer is a memory: id, date, text. Tools take the id as it stands there.",
            memory.embedder == nil
                ? "Recall goes by words alone here, as the embedding model is missing: ask with the words that a memory would hold."
                : nil,
        ]
        return parts.compactMap(\.self).joined(separator: " ")
    }
}
