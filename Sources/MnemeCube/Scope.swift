/// Whose memory it is. Recall never crosses from one user to another.
public struct Scope: Hashable, Sendable, Codable {
    /// An organisation or deployment.
    public var tenant: String
    /// Whose memories they are.
    public var user: String
    /// The agent they belong to, if to one.
    public var agent: String?
    /// The conversation.
    public var session: String?

    /// A scope; what is left out is `default` or absent.
    public init(
        tenant: String = "default", user: String = "default", agent: String? = nil,
        session: String? = nil
    ) {
        self.tenant = tenant
        self.user = user
        self.agent = agent
        self.session = session
    }

    /// The part that separates memories from each other completely.
    public var owner: Owner { Owner(tenant: tenant, user: user) }
}

/// A tenant's user: the wall around a set of memories.
public struct Owner: Hashable, Sendable, Codable {
    /// An organisation or deployment.
    public var tenant: String
    /// Whose memories they are.
    public var user: String

    /// An owner; what is left out is `default`.
    public init(tenant: String = "default", user: String = "default") {
        self.tenant = tenant
        self.user = user
    }
}
