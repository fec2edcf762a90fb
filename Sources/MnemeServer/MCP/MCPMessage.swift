import Mneme
import MnemeBase

/// One message of a client, read from JSON-RPC 2.0.
enum MCPMessage: Sendable {
    /// A request, which has to be answered.
    case request(MCPRequest)
    /// A notification, which has no answer.
    case notification(method: String, parameters: OrderedJSON?)
    /// An answer to something that we asked; we ask nothing.
    case unasked
    /// A malformed message, and the answer to it.
    case malformed(MCPReply)

    /// The longest text of messages that is read, in bytes.
    static let maximumBytes = 8 << 20
    /// Messages that one text may hold (revision 2025-03-26 alone has such batches).
    private static let maximumBatch = 100

    /// The messages of a text; `isBatch` where they stand in an array, and are answered in one.
    static func read(_ text: [UInt8]) -> (messages: [MCPMessage], isBatch: Bool) {
        func refused(_ code: MCPError.Code, _ message: String) -> (
            messages: [MCPMessage], isBatch: Bool
        ) {
            ([.malformed(MCPReply(id: nil, error: MCPError(code, message)))], false)
        }
        guard text.count <= maximumBytes else {
            return refused(.invalidRequest, "A message has at most \(maximumBytes) bytes.")
        }
        let json: OrderedJSON
        do { json = try text.withUnsafeBytes { try OrderedJSON(bytes: $0) } } catch {
            return refused(.parse, "The message is not JSON. \(error)")
        }
        guard let batch = json.elements else { return ([one(json)], false) }
        guard !batch.isEmpty, batch.count <= maximumBatch else {
            return refused(.invalidRequest, "A batch has 1 to \(maximumBatch) messages.")
        }
        return (batch.map(one), true)
    }

    /// One message; what is wrong with it is answered with its id, if that can be read.
    private static func one(_ written: OrderedJSON) -> MCPMessage {
        func refused(_ message: String, id: OrderedJSON? = nil) -> MCPMessage {
            .malformed(MCPReply(id: id, error: MCPError(.invalidRequest, message)))
        }
        guard written.members != nil, written["jsonrpc"] == .string("2.0") else {
            return refused("This is not a JSON-RPC 2.0 message.")
        }
        let id = written["id"]
        guard case .string(let method) = written["method"] else {
            let isAnswer = written["result"] != nil || written["error"] != nil
            return isAnswer ? .unasked : refused("'method' is missing.", id: id)
        }
        guard let id else {
            return .notification(method: method, parameters: written["params"])
        }
        // JSON-RPC knows null ids, this protocol does not.
        switch id {
        case .string: break
        // It goes back as it came: the client must be able to read it.
        case .number where id.double != nil: break
        default: return refused("'id' must be a string or a number.")
        }
        do { return .request(try MCPRequest(id: id, method: method, written["params"])) } catch {
            return refused("\(error)", id: id)
        }
    }
}

/// A request of a client.
struct MCPRequest: Sendable {
    /// Goes back as it came: a `Double` would change whole numbers beyond 2^53.
    let id: OrderedJSON
    /// The method, such as `tools/call`.
    let method: String
    /// `params`; an empty object where there are none.
    let parameters: JSONValue
    /// Names the request in notices of its progress; nil if none are wanted.
    let progressToken: OrderedJSON?

    /// Begins the names of the protocol's own members of `_meta`.
    private static let prefix = "io.modelcontextprotocol/"

    /// Reads the parameters, the progress token among them.
    ///
    /// - Throws: `InputError` for a number that no `Double` holds.
    init(id: OrderedJSON, method: String, _ parameters: OrderedJSON?) throws {
        (self.id, self.method) = (id, method)
        self.parameters = try parameters.map { try JSONValue($0) } ?? [:]
        // One that no `Double` holds was refused with the parameters.
        switch parameters?["_meta"]?["progressToken"] {
        case .string(let text): progressToken = .string(text)
        case .number(let text): progressToken = .number(text)
        default: progressToken = nil
        }
    }

    /// The revision that the request names; nil where a handshake settled it.
    var revision: String? { meta("protocolVersion")?.string }

    /// True if the request stands for itself, as from 2026-07-28 on.
    var isStateless: Bool { revision == MCPRevision.stateless }

    /// A member of `_meta` that the protocol defines.
    private func meta(_ name: String) -> JSONValue? { parameters["_meta"]?[Self.prefix + name] }

    /// The name that the header `Mcp-Name` repeats; nil for methods without it.
    var target: String? {
        switch method {
        case "tools/call", "prompts/get": parameters["name"]?.string
        case "resources/read": parameters["uri"]?.string
        default: nil
        }
    }

    /// Checks what every method wants: parameters in an object, and a revision that is spoken.
    ///
    /// - Throws: ``MCPError`` if the request cannot be served whatever its method is.
    func check() throws {
        guard parameters.object != nil else {
            throw MCPError(.invalidParams, "'params' must be an object.")
        }
        guard let revision else { return }
        guard MCPRevision.all.contains(revision) else { throw MCPRevision.unsupported(revision) }
        // No tool asks the client for anything, but the revision wants it said.
        if isStateless, meta("clientCapabilities")?.object == nil {
            throw MCPError(
                .invalidParams, "'_meta' lacks '\(Self.prefix)clientCapabilities', an object.")
        }
    }
}
