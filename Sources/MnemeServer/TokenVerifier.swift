import Foundation
import JWTKit
import Mneme
import MnemeStore
import NIOConcurrencyHelpers

/// Takes JSON Web Tokens (RFC 7519) of an identity provider in place of keys.
///
/// A token is signed by a key of the provider's set (RFC 7517), names the expected issuer and
/// audience, and has not expired. `sub` is the user whose memories are its own, `scope` holds
/// permissions such as `mneme:read`; `mneme_tenant`, `mneme_agent`, `mneme_clearance` and `roles`
/// may say more. It never reaches others' memories but by grants.
public final class TokenVerifier: Sendable {
    /// Claims of a token: those of RFC 7519, `scope` (RFC 8693), and the server's own.
    private struct Claims: JWTPayload {
        var iss: IssuerClaim
        var aud: AudienceClaim
        var exp: ExpirationClaim
        var nbf: NotBeforeClaim?
        var sub: SubjectClaim
        var scope: String?
        var roles: [String]?
        var mneme_tenant: String?
        var mneme_agent: String?
        var mneme_clearance: String?

        /// Checks that the token is within its time; the signature was checked before.
        func verify(using key: some JWTAlgorithm) throws {
            try exp.verifyNotExpired()
            try nbf?.verifyNotBefore()
        }
    }

    /// The key set's file, and the issuer and audience that tokens must name.
    private let path: String, issuer: String, audience: String
    /// Keys as last read, and when the file had changed then.
    private let state: NIOLockedValueBox<(keys: JWTKeyCollection, changed: Date?)>

    /// Reads the key set.
    ///
    /// - Parameters:
    ///   - path: a JSON Web Key Set; it is read again when it changes.
    ///   - issuer: what `iss` must be.
    ///   - audience: what `aud` must hold.
    /// - Throws: `InputError` if the file is no such set.
    public init(keySet path: String, issuer: String, audience: String) async throws {
        guard !issuer.isEmpty, !audience.isEmpty else {
            throw InputError("Tokens need an issuer and an audience.")
        }
        (self.path, self.issuer, self.audience) = (path, issuer, audience)
        state = NIOLockedValueBox((try await Self.read(path), Self.changed(path)))
    }

    /// The metadata by which clients find out where to get tokens.
    var resource: ProtectedResource { ProtectedResource(issuer: issuer, audience: audience) }

    /// The file's modification time; nil if it cannot be told.
    private static func changed(_ path: String) -> Date? {
        try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }

    /// Reads the key set.
    ///
    /// - Throws: `InputError` if the file cannot be read or is no key set.
    private static func read(_ path: String) async throws -> JWTKeyCollection {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw InputError("\(path) cannot be read. It should hold the provider's keys (JWKS).")
        }
        let keys = JWTKeyCollection()
        do { try await keys.add(jwksJSON: text) } catch {
            throw InputError("\(path) is no JSON Web Key Set: \(error)")
        }
        return keys
    }

    /// The principal of a token.
    ///
    /// - Returns: nil if it is not valid; why is nobody's business but the log's.
    func principal(_ token: String) async -> Principal? {
        let now = Self.changed(path)
        if now != state.withLockedValue({ $0.changed }), let keys = try? await Self.read(path) {
            state.withLockedValue { $0 = (keys, now) }
        }
        let keys = state.withLockedValue { $0.keys }
        guard token.utf8.count <= 16_384,
            let claims = try? await keys.verify(token, as: Claims.self),
            claims.iss.value == issuer,
            claims.aud.value.contains(audience)
        else { return nil }
        let user = claims.sub.value
        let tenant = claims.mneme_tenant ?? "default"
        guard
            [user, tenant, claims.mneme_agent ?? "x"].allSatisfy({
                (1...256).contains($0.utf8.count) && !$0.utf8.contains(0)
            })
        else { return nil }
        let permissions = (claims.scope ?? "").split(separator: " ").compactMap {
            $0.hasPrefix("mneme:") ? Permission(rawValue: String($0.dropFirst(6))) : nil
        }
        var clearance = Sensitivity.restricted
        if let name = claims.mneme_clearance {
            // One that is not known is no reason to show more.
            guard let known = Sensitivity(name: name) else { return nil }
            clearance = known
        }
        return Principal(
            name: "token:\(tenant)/\(user)", permissions: Set(permissions), tenant: tenant,
            user: user,
            agent: claims.mneme_agent,
            roles: Set(claims.roles ?? []),
            clearance: clearance)
    }
}
