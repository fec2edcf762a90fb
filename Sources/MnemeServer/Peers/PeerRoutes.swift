import Foundation
import HTTPTypes
import Hummingbird
import Mneme
import MnemeBase
import MnemeStore

/// Routes about the servers that share a store, and the header that names an owner's.
extension WireRoute {
    /// `/v1/servers`.
    static let servers = WireRoute(
        .get, "/v1/servers", .openAI, "servers",
        "The servers that share this store, and with 'user' the one that holds this user's index warm. Any answers.",
        permission: .admin, fields: [PeerFields.user, PeerFields.tenant])
}

/// Fields of ``WireRoute/servers``.
private enum PeerFields {
    static let user = RequestField<String>("user")
    static let tenant = RequestField<String>("tenant")
}

extension MemoryServer {
    /// The routes, answered.
    func peerEndpoints() -> [Endpoint] {
        [
            endpoint(.servers) { request in
                try requireAll(request.caller)
                let servers = try await peers?.read() ?? []
                var answer: [String: JSONValue] = [
                    "servers": .array(servers.map { described($0) })
                ]
                let user = try PeerFields.user.read(request.fields)
                let tenant = try PeerFields.tenant.read(request.fields)
                if user != nil || tenant != nil {
                    let owner = try request.caller.principal.owner(tenant: tenant, user: user)
                    answer["owner"] = [
                        "tenant": .string(owner.tenant), "user": .string(owner.user),
                        "server": peers?.url(of: owner).map { .string($0) } ?? .null,
                    ]
                }
                return try .json(.object(answer))
            }
        ]
    }

    /// A server of the table as the answer has it.
    private func described(_ server: LeasedServer) -> JSONValue {
        [
            "id": .string(server.server.id),
            "url": server.server.url.map { .string($0) } ?? .null,
            "version": .string(server.server.version),
            "started": .string(server.started.formatted(.iso8601)),
            "leaseSeconds": .number((server.secondsLeft * 10).rounded() / 10),
            "isThis": .bool(server.server.id == configuration.identity?.id),
        ]
    }

    /// Names the server that an owner belongs to in an answer's header, where servers share the store
    /// and have addresses.
    func nameServer(of owner: @autoclosure () throws -> Owner, in response: inout Response) {
        guard let peers, response.headers[.mnemeServer] == nil, let owner = try? owner() else { return }
        response.headers[.mnemeServer] = peers.url(of: owner)
    }
}

extension HTTPField.Name {
    /// The address of the server that holds the index of the answer's owner warm.
    static let mnemeServer = HTTPField.Name("Mneme-Server")!
}
