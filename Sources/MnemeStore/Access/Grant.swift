public import Foundation

/// Whom a ``Grant`` is for: somebody of the same tenant.
public enum Grantee: Hashable, Sendable {
    /// One user, by name.
    case user(String)
    /// One agent, by name.
    case agent(String)
    /// All who have a role, by its name.
    case role(String)
    /// Everybody of the tenant.
    case everyone

    /// Such as `user:bob`, `agent:coder`, `role:legal` or `everyone`; nil if it is none of these.
    public init?(_ text: String) {
        if text == "everyone" {
            self = .everyone
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2, (1...256).contains(parts[1].utf8.count) else { return nil }
        switch parts[0] {
        case "user": self = .user(parts[1])
        case "agent": self = .agent(parts[1])
        case "role": self = .role(parts[1])
        default: return nil
        }
    }

    /// All grantees that a principal is.
    package static func all(of principal: Principal) -> [Grantee] {
        [.everyone]
            + [principal.user.map(Grantee.user), principal.agent.map(Grantee.agent)].compactMap(
                \.self)
            + principal.roles.map(Grantee.role)
    }
}

extension Grantee: CustomStringConvertible, Codable {
    /// As it stands in rows and requests: `user:NAME`, `agent:NAME`, `role:NAME` or `everyone`.
    public var description: String {
        switch self {
        case .user(let name): "user:" + name
        case .agent(let name): "agent:" + name
        case .role(let name): "role:" + name
        case .everyone: "everyone"
        }
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let known = Grantee(text) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "'\(text.prefix(60))' is nobody to grant to."))
        }
        self = known
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Leave for somebody to reach an owner's memories, or one of them.
public struct Grant: Sendable, Codable, Identifiable, Equatable {
    /// Its number in the store; 0 before it is there.
    public var id: Int64
    /// Whose memories.
    public var owner: Owner
    /// The one memory; nil for all of the owner's.
    public var cube: CubeID?
    /// The principal who gets the right.
    public var grantee: Grantee
    /// Permissions of the grantee, as far as it has them at all.
    public var permissions: Set<Permission>
    /// The highest label that is shared; a single memory is shared whatever its label.
    /// Nobody sees beyond their own clearance.
    public var upTo: Sensitivity
    /// The time at which it was given, and by whom.
    public var created: Date, grantor: String
    /// The time at which it ends.
    public var expires: Date?

    /// A grant; number, time and giver are set by the store.
    public init(
        owner: Owner, cube: CubeID? = nil, grantee: Grantee, permissions: Set<Permission> = [.read],
        upTo: Sensitivity = .internal, expires: Date? = nil
    ) {
        id = 0
        self.owner = owner
        self.cube = cube
        self.grantee = grantee
        self.permissions = permissions
        self.upTo = upTo
        self.expires = expires
        created = .distantPast
        grantor = ""
    }
}

/// The part of an owner's memories that a principal may see. Indexes are made of nothing else, so
/// that no score or count tells of the rest.
public struct Visibility: Hashable, Sendable {
    /// Memories up to this label, whatever agent they belong to; nil for none.
    public var ceiling: Sensitivity?
    /// Of an agent: its own memories and those of none, up to a label of their own.
    public var agent: String?, agentCeiling: Sensitivity?
    /// Single memories besides.
    public var also: Set<CubeID> = []

    /// Everything.
    public static let all = Visibility(ceiling: .restricted)

    package init(ceiling: Sensitivity?) { self.ceiling = ceiling }

    /// True if nothing is left out.
    public var isUnrestricted: Bool { ceiling == .restricted }

    /// True if nothing is seen.
    var isEmpty: Bool { ceiling == nil && agentCeiling == nil && also.isEmpty }

    /// Tells whether a memory is seen.
    public func contains(_ cube: MemCube) -> Bool {
        contains(cube.id, cube.sensitivity, agent: cube.scope.agent)
    }

    /// Tells whether a memory of this label is seen that belongs to `owner`, an agent, or to none.
    func contains(_ id: CubeID, _ sensitivity: Sensitivity, agent owner: String?) -> Bool {
        if also.contains(id) { return true }
        if let ceiling, sensitivity <= ceiling { return true }
        guard let agentCeiling, sensitivity <= agentCeiling else { return false }
        return owner == nil || owner == agent
    }
}
