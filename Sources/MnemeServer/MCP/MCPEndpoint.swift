import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Mneme
import MnemeBase
import MnemeStore
import NIOCore

/// `/mcp`: the Model Context Protocol over HTTP, a message a request ("Streamable HTTP").
///
/// An answer is JSON, or a stream of events where the client wants to hear of progress. This server
/// sends nothing on its own, so that there is no stream to open (`GET`) and no session to end
/// (`DELETE`).
struct MCPEndpoint: Sendable {
    /// The memory that is served.
    let memory: MemoryOS
    /// The server's own, told to clients.
    let version: String
    /// Told of failures that are the server's own.
    let logger: Logger
    /// The scheme and host that the client calls the server by.
    let base: String

    /// Answers one request's body.
    ///
    /// - Throws: `InputError` for a query `tools` that names no tools; ``ClientError`` for a caller
    ///   who may do nothing, as one whose token has no scope of ours: no tool could be offered.
    func answer(_ request: Request, _ body: [UInt8], by caller: Caller) async throws -> Response {
        guard !caller.principal.permissions.isEmpty else {
            throw ClientError(
                .forbidden, code: ProtectedResource.insufficientScope,
                "'\(caller.principal.name)' may do nothing here. Ask for the scopes mneme:read and mneme:write."
            )
        }
        let session = MCPSession(
            memory: memory, principal: caller.principal, request: caller.request, version: version,
            tools: try Self.tools(request), base: base, logger: logger)
        let (messages, isBatch) = MCPMessage.read(body)
        guard !isBatch else {
            return await session.answer(body).map { .json(text: $0) } ?? Response(status: .accepted)
        }
        switch messages[0] {
        case .request(let message):
            do { try Self.check(request.headers, message) } catch {
                return Self.json(MCPReply(id: message.id, error: error))
            }
            // Who cannot read events is answered in one piece.
            if message.progressToken != nil,
                request.headers[.accept]?.contains("text/event-stream") ?? false
            {
                return Self.events(session, message)
            }
            let reply = await session.reply(to: message)
            return message.isStateless ? Self.json(reply) : .json(text: reply.text)
        case .malformed(let reply): return Self.json(reply)
        // Closing the connection is how a call is cancelled here.
        case .notification, .unasked: return Response(status: .accepted)
        }
    }

    /// The tools that the address asks for.
    private static func tools(_ request: Request) throws -> MCPToolSet {
        let named = try QueryString.items(request.uri.query ?? "").filter { $0.name == "tools" }
        guard let wanted = named.last?.value else { return .served }
        return try MCPToolSet(wanted)
    }

    // MARK: Headers

    /// Compares a request's headers with its message: what routes by one must not be fooled by the
    /// other.
    ///
    /// - Throws: ``MCPError`` if they differ, or name a revision that is not spoken.
    ///
    /// - Parameters:
    ///   - headers: the request's.
    ///   - message: what its body says.
    static func check(_ headers: HTTPFields, _ message: MCPRequest) throws(MCPError) {
        let version = headers[.protocolVersion]
        if let version, !MCPRevision.all.contains(version) {
            throw MCPRevision.unsupported(version)
        }
        // Earlier revisions have no such headers; most of their clients send the version at least.
        guard message.isStateless || version == MCPRevision.stateless else { return }
        guard let revision = message.revision else {
            throw MCPError(
                .invalidParams,
                "'_meta' lacks 'io.modelcontextprotocol/protocolVersion', which \(MCPRevision.stateless) needs."
            )
        }
        try require(headers, .protocolVersion, revision)
        try require(headers, .method, message.method)
        if let target = message.target { try require(headers, .target, target) }
    }

    /// Compares one header, which must be there.
    private static func require(
        _ headers: HTTPFields, _ name: HTTPField.Name, _ wanted: String
    ) throws(MCPError) {
        guard let value = headers[name] else {
            throw MCPError(.headerMismatch, "The header \(name.rawName) is missing.")
        }
        guard decoded(value) == wanted else {
            throw MCPError(
                .headerMismatch,
                "The header \(name.rawName) says '\(value.prefix(60))', the message '\(wanted.prefix(60))'."
            )
        }
    }

    /// A header's value: texts that no header holds come as `=?base64?…?=`.
    private static func decoded(_ value: String) -> String? {
        let start = "=?base64?"
        let end = "?="
        guard value.hasPrefix(start), value.hasSuffix(end), value.count > start.count + 1 else {
            return value
        }
        let inner = value.dropFirst(start.count).dropLast(end.count)
        return Data(base64Encoded: String(inner)).map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Answers

    /// An answer whose HTTP status says what went wrong, too (revision 2026-07-28).
    private static func json(_ reply: MCPReply) -> Response {
        .json(text: reply.text, status: .init(code: reply.error?.status ?? 200))
    }

    /// Notices of progress, then the answer. A client that goes away cancels the call.
    private static func events(_ session: MCPSession, _ message: MCPRequest) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-cache",
                .proxyBuffering: "no",
            ],
            body: ResponseBody { writer in
                let (texts, continuation) = AsyncStream.makeStream(of: String.self)
                let call = Task {
                    let reply = await session.reply(to: message) { continuation.yield($0) }
                    continuation.yield(reply.text)
                    continuation.finish()
                }
                defer { call.cancel() }
                for await text in texts {
                    try await writer.write(ByteBuffer(string: "event: message\ndata: \(text)\n\n"))
                }
                try await writer.finish(nil)
            })
    }
}

extension HTTPField.Name {
    /// The revision of the protocol, in every request after a handshake.
    fileprivate static let protocolVersion = Self("MCP-Protocol-Version")!
    /// The message's method, for proxies that route by it (revision 2026-07-28).
    fileprivate static let method = Self("Mcp-Method")!
    /// The tool, prompt or resource that the message names (revision 2026-07-28).
    fileprivate static let target = Self("Mcp-Name")!
    /// Keeps proxies from collecting events.
    fileprivate static let proxyBuffering = Self("X-Accel-Buffering")!
}
