import Foundation
public import MnemeStore

/// A grantee in its text form, such as `role:support`.
extension Grantee: ParameterValue {
    /// A string; its forms stand in its description.
    public static var schema: [String: JSONValue] {
        [
            "type": "string",
            "description": "user:NAME, agent:NAME, role:NAME or everyone (of the tenant).",
        ]
    }
    /// A grantee in its text form; nil for any other text.
    public init?(json: JSONValue) {
        guard let text = json.string, let value = Grantee(text) else { return nil }
        self = value
    }
}

/// share: lets others of the tenant reach memories.
public enum ShareOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "share"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Let somebody of the tenant reach your memories, or one of them."
    /// The most that a grant can give, and how it is replaced and taken back.
    public static let discussion = """
        Nobody gets more than you may do yourself, nor sees beyond their own clearance. Sharing again with the same replaces what was; \
        `unshare` takes it back at once.
        """
    /// `share`: a grant opens memories to others.
    public static let permission = Permission.share
    /// A grant is made; its number is in the answer.
    public static let route: Route? = Route(.post, "/v1/grants")
    static let with = Parameter<Grantee>("with", "Who.", required: true, positional: true)
    static let id = Parameter<CubeID>("id", "The one memory; all of them if left out.")
    static let permissions = Parameter<[String]>(
        "permission", "What they may do: read (if left out), write, erase.")
    static let upTo = Parameter<Sensitivity>(
        "up_to", "The highest sensitivity that is shared; 'internal' if left out.")
    static let expires = Parameter<Date>("expires", "When it ends.")
    /// With whom (required), one memory (all), permissions (read), label, end, the owner.
    public static let parameters: [any AnyParameter] =
        [with, id, permissions, upTo, expires] + ScopeParameters.owner

    /// The grant as it is kept, with its number for `unshare`.
    struct Output: Encodable, Sendable { var grant: Grant }

    /// Writes a grant. The store checks that the caller has what is granted.
    /// - Throws: `InputError` for unknown permissions or an end that has passed, `AccessError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let names = input[permissions] ?? ["read"]
        let permissions = names.compactMap(Permission.init(rawValue:))
        guard permissions.count == names.count else {
            throw InputError("'permission' is read, write or erase.")
        }
        if let end = input[expires], end <= context.now {
            throw InputError("'expires' lies in the past.")
        }
        let grant = Grant(
            owner: try ScopeParameters.owner(input, context), cube: input[id],
            grantee: try input.require(with),
            permissions: Set(permissions),
            upTo: input[upTo] ?? .internal, expires: input[expires])
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                Output(grant: try store.share(grant, by: caller))
            })
    }
}

/// unshare: takes a grant back.
public enum UnshareOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "unshare"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Take back what was shared."
    /// `share`, as for the grant itself.
    public static let permission = Permission.share
    /// The grant's number is part of the path.
    public static let route: Route? = Route(.delete, "/v1/grants/{grant}")
    static let grant = Parameter<Int>(
        "grant", "The grant's number, as `grants` shows it.", required: true, positional: true,
        range: 1...9e15)
    /// The grant's number (required), as `grants` shows it, and the owner.
    public static let parameters: [any AnyParameter] = [grant] + ScopeParameters.owner

    /// The grant that is gone.
    struct Output: Encodable, Sendable { var unshared: Int }

    /// Removes a grant of the owner's; it holds for the very next request.
    /// - Throws: `StoreError` of class not found if the owner has no such grant, `AccessError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let number = try input.require(grant)
        let owner = try ScopeParameters.owner(input, context)
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                try store.unshare(Int64(number), owner: owner, by: caller)
                return Output(unshared: number)
            })
    }
}

/// grants: who reaches what.
public enum GrantsOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "grants"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary =
        "Show with whom memories are shared, and what others share with you."
    /// `read` of the owner's memories.
    public static let permission = Permission.read
    /// The owner is in the query.
    public static let route: Route? = Route(.get, "/v1/grants")
    /// The owner; the caller's own home if left out.
    public static let parameters: [any AnyParameter] = ScopeParameters.owner

    /// Grants in both directions.
    struct Output: Encodable, Sendable {
        /// Grants of the memories asked about.
        var grants: [Grant]
        /// Grants of others' memories to the caller.
        var received: [Grant]
    }

    /// Lists the grants of the owner's memories, and those that the caller has received.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                Output(
                    grants: try store.grants(owner: owner, by: caller),
                    received: try store.grants(to: caller))
            })
    }
}
