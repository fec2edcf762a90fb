public import Foundation
import Mneme
public import MnemeStore

extension APIKey {
    /// A key as lists show it: without the hash of its secret.
    public struct Listing: Sendable, Encodable {
        /// As in ``APIKey``.
        public var id, name: String
        /// Names of permissions, in alphabetical order.
        public var permissions: [String]
        /// Whom it reaches, and for which agent.
        public var tenant, user, agent: String?
        /// In alphabetical order.
        public var roles: [String]?
        /// The highest label that it sees; absent if all.
        public var clearance: Sensitivity?
        /// Bounds of its own.
        public var quota, requestsPerMinute: Int?
        /// When it was made, stops working, and was taken back.
        public var created: Date, expires, revoked: Date?
    }

    /// The key without its secret.
    public var listing: Listing {
        Listing(
            id: id, name: name, permissions: permissions.map(\.rawValue).sorted(),
            tenant: tenant, user: user, agent: agent, roles: roles?.sorted(),
            clearance: clearance, quota: quota, requestsPerMinute: requestsPerMinute,
            created: created, expires: expires, revoked: revoked)
    }
}
