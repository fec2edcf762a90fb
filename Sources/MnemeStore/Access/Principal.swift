public import Foundation
public import MnemeBase

/// The permissions of a caller.
public enum Permission: String, Sendable, Codable, CaseIterable {
    /// Seeing memories, adding and changing them, and erasing them for good.
    case read, write, erase
    /// Giving others what one may do oneself.
    case share
    /// Looking after the store itself.
    case admin
}

/// An identity: what somebody may do, and whose memories are theirs. All else is reached through a
/// ``Grant``.
public struct Principal: Sendable, Codable, Hashable {
    /// Its name in the journal.
    public var name: String
    /// Permissions, for its own memories and for those that others share with it.
    public var permissions: Set<Permission>
    /// The only tenant that it reaches; nil reaches all. No grant leads from one tenant to another.
    public var tenant: String?
    /// The user whose memories are its own; nil reaches all of the tenant.
    public var user: String?
    /// The agent that it is, if it is one: of its user's memories it reaches those of this agent
    /// and those of none.
    public var agent: String?
    /// Roles that grants may name.
    public var roles: Set<String>
    /// The highest label that it sees.
    public var clearance: Sensitivity
    /// The most memories that an owner may have for this principal to add more; nil sets no bound.
    public var quota: Int?

    /// A principal; what is left out sets no bound. A user without a tenant is one of the tenant
    /// `default`.
    public init(
        name: String, permissions: Set<Permission>, tenant: String? = nil, user: String? = nil,
        agent: String? = nil,
        roles: Set<String> = [],
        clearance: Sensitivity = .restricted, quota: Int? = nil
    ) {
        self.name = name
        self.permissions = permissions
        self.tenant = tenant ?? (user == nil ? nil : "default")
        self.user = user
        self.agent = agent
        self.roles = roles
        self.clearance = clearance
        self.quota = quota
    }

    /// Somebody at the machine itself.
    public static let local = Principal(name: "local", permissions: Set(Permission.allCases))

    /// Whose memories are meant if no user is named.
    public var home: Owner { Owner(tenant: tenant ?? "default", user: user ?? "default") }

    /// True if nobody's memories are closed to it.
    public var reachesAll: Bool { tenant == nil && user == nil && agent == nil }

    /// Tells whether an owner's memories are its own, or within its tenant.
    public func reaches(_ owner: Owner) -> Bool {
        (tenant == nil || tenant == owner.tenant) && (user == nil || user == owner.user)
    }
}

/// One call: who makes it, and why. Every call of a ``MemoryStore`` carries one; the store
/// checks it and writes it down.
public struct Caller: Sendable {
    /// The principal.
    public var principal: Principal
    /// The operation, as the operation table names it.
    public var operation: String?
    /// The reason, if one was given.
    public var reason: String?
    /// Names the request in the audit log.
    public var request: String?
    /// The time of the call; "now" for all that it does.
    public var time: Date

    /// A call; now, without a reason, unless told.
    public init(
        _ principal: Principal, operation: String? = nil, reason: String? = nil,
        request: String? = nil,
        time: Date = Date()
    ) {
        self.principal = principal
        self.operation = operation
        self.reason = reason
        self.request = request
        self.time = time
    }

    /// The local user, who may do everything.
    public static var local: Caller { Caller(.local) }

    /// True if Mneme itself asks, as for an index: what it reads is handed to nobody, and not
    /// written down.
    package private(set) var isInternal = false
    /// Mneme itself.
    package static var mneme: Caller {
        var caller = Caller(Principal(name: "mneme", permissions: Set(Permission.allCases)))
        caller.isInternal = true
        return caller
    }

    /// Mneme itself, on behalf of this caller, as for what has to be erased with a memory.
    package var elevated: Caller {
        var caller = self
        caller.principal = Principal(name: principal.name, permissions: Set(Permission.allCases))
        caller.isInternal = true
        return caller
    }
}

/// A caller lacks a permission or may not reach an owner.
public struct AccessError: MnemeError {
    /// The sentence for users: who may not do what. It names nothing that is not visible.
    public let message: String

    /// - Parameter message: what is refused and what would be needed, for the one who asked.
    public init(_ message: String) { self.message = message }

    /// Always `ErrorClass.forbidden`.
    public var errorClass: ErrorClass { .forbidden }
}
