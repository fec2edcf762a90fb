import HTTPTypes
import Hummingbird
import Mneme
import MnemeStore

/// Metadata for clients that log in at an identity provider: who issues the
/// tokens that it takes, and for what (OAuth 2.0 Protected Resource Metadata, RFC 9728).
struct ProtectedResource: Sendable {
    /// The issuer of tokens.
    let issuer: String
    /// The audience that tokens must name. An address is the resource's name to clients, too.
    let audience: String

    /// The error of a token that allows nothing here (RFC 6750, section 3.1).
    static let insufficientScope = "insufficient_scope"
    private static let wellKnown = "/.well-known/oauth-protected-resource"
    /// Paths of the metadata: the server's, and that of its MCP endpoint.
    static let paths = [wellKnown, wellKnown + "/mcp"]
    /// The scopes that a client needs to remember and recall.
    private static let scopes = [Permission.read, .write].map { "mneme:" + $0.rawValue }

    /// The scheme and host that a client calls the server by.
    ///
    /// - Parameter isSecure: whether this server speaks TLS itself.
    static func base(of request: Request, isSecure: Bool) -> String {
        let proxied = HTTPField.Name("X-Forwarded-Proto").flatMap { request.headers[$0] }
        let scheme = isSecure || proxied == "https" ? "https" : "http"
        return "\(scheme)://\(request.head.authority ?? "localhost")"
    }

    /// The metadata.
    ///
    /// - Parameters:
    ///   - base: as ``base(of:isSecure:)`` says it.
    ///   - path: one of ``paths``.
    func metadata(base: String, path: String) -> JSONValue {
        let isNamed = ["https://", "http://"].contains { audience.hasPrefix($0) }
        let address = base + path.dropFirst(Self.wellKnown.count)
        return [
            "resource": .string(isNamed ? audience : address), "resource_name": "Mneme",
            "authorization_servers": [.string(issuer)],
            "scopes_supported": .array(
                Permission.allCases.map { .string("mneme:" + $0.rawValue) }),
            "bearer_methods_supported": ["header"],
        ]
    }

    /// The header `WWW-Authenticate` of a refusal: where the metadata is, and what to ask for.
    ///
    /// - Parameters:
    ///   - path: the request's path.
    ///   - error: why (RFC 6750, section 3.1); nil if no token was shown.
    func challenge(base: String, path: String, error: String?) -> String {
        let metadata = base + (path == "/mcp" ? Self.paths[1] : Self.paths[0])
        let parts = [
            error.map { "error=\"\($0)\"" }, "resource_metadata=\"\(metadata)\"",
            "scope=\"\(Self.scopes.joined(separator: " "))\"",
        ]
        return "Bearer " + parts.compactMap(\.self).joined(separator: ", ")
    }
}
