import Mneme
import MnemeBase

/// An answer of JSON-RPC 2.0.
struct MCPReply: Sendable {
    /// The request's id, as it came; nil if it could not be read.
    let id: OrderedJSON?
    /// The error of a request that could not be carried out.
    let error: MCPError?
    /// The member that holds the outcome: `result` or `error`.
    private let member: (name: String, value: JSONValue)

    /// The answer of a request that was carried out.
    init(id: OrderedJSON?, result: JSONValue) {
        (self.id, error, member) = (id, nil, ("result", result))
    }

    /// The answer of a request that could not be; without an id if that could not be read.
    init(id: OrderedJSON?, error: MCPError) {
        var value: [String: JSONValue] = [
            "code": .number(Double(error.code.rawValue)), "message": .string(error.message),
        ]
        value["data"] = error.data
        (self.id, self.error, member) = (id, error, ("error", .object(value)))
    }

    /// The answer as it is sent.
    var text: String {
        let members = JSONValue.object(["jsonrpc": "2.0", member.name: member.value])
        let encoded = (try? OperationTable.encode(members)) ?? #"{"jsonrpc":"2.0"}"#
        return "{\"id\":\((id ?? .null).text)," + encoded.dropFirst()
    }
}

/// The answer of a method, before the protocol's own members are added.
struct MCPResult: Sendable {
    /// The method's members.
    var members: [String: JSONValue]
    /// For how long a client may keep it; nil for what is not kept.
    var lifetime: Duration?

    init(_ members: [String: JSONValue], lifetime: Duration? = nil) {
        (self.members, self.lifetime) = (members, lifetime)
    }

    /// Lists that follow from the caller's permissions alone.
    static let listLifetime = Duration.seconds(3600)

    /// The answer to a request that stands for itself (revision 2026-07-28).
    func stateless(server: JSONValue) -> JSONValue {
        var members = members
        members["resultType"] = "complete"
        members["_meta"] = ["io.modelcontextprotocol/serverInfo": server]
        if let lifetime {
            members["ttlMs"] = .number(Double(lifetime.components.seconds) * 1000)
            // Another key may see other tools and memories.
            members["cacheScope"] = "private"
        }
        return .object(members)
    }
}
