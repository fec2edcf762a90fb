import Foundation
import HTTPTypes
import Hummingbird
import MnemeBase
import MnemeStore

/// Who sends a request.
struct IdentifiedCaller: Sendable {
    /// Whose memories it reaches.
    var principal: Principal
    /// Requests a minute of its key, if it has a limit of its own.
    var requestsPerMinute: Int?
    /// The public part of its key; nil for tokens and where no key is needed.
    var keyID: String?
}

extension ServerConfiguration {
    /// Identifies the caller: the owner of the key or token, or the local user where no key is
    /// needed.
    ///
    /// - Throws: ``ClientError`` without a valid key, or for a name of another machine.
    func identify(_ request: Request) async throws -> IdentifiedCaller {
        guard requiresKey else {
            // Without keys only names of this machine are answered: a rebound name comes without an
            // origin on GET.
            if let authority = request.head.authority {
                let host = HostName.of(authority: authority)
                guard let host, HostName.isLocal(host) || host == self.host.lowercased()
                else {
                    throw ClientError(
                        .forbidden,
                        "Requests for the host \(authority.prefix(100)) are not served without a key."
                    )
                }
            }
            return IdentifiedCaller(principal: .local)
        }
        if let secret = Self.secret(of: request) {
            if let key = keys?.find(secret: secret) {
                return IdentifiedCaller(
                    principal: key.principal, requestsPerMinute: key.requestsPerMinute, keyID: key.id)
            }
            if let principal = await tokens?.principal(secret) {
                return IdentifiedCaller(principal: principal)
            }
        }
        throw ClientError(
            .unauthenticated,
            "A valid key \(tokens == nil ? "" : "or token ")is needed: Authorization: Bearer …"
        )
    }

    /// The key or token that a request shows: as `Authorization: Bearer …`, as mem0's clients say it
    /// (`Token …`), or as Anthropic's do (`x-api-key`).
    static func secret(of request: Request) -> String? {
        let header = request.headers[.authorization] ?? ""
        for scheme in ["bearer ", "token "] where header.lowercased().hasPrefix(scheme) {
            return header.dropFirst(scheme.utf8.count).trimmingCharacters(in: .whitespaces)
        }
        return request.headers[.apiKey]
    }
}

extension HTTPField.Name {
    /// The header in which Anthropic's clients send their key.
    fileprivate static let apiKey = Self("X-Api-Key")!
}
