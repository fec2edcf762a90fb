import MnemeBase
public import MnemeStore

/// vaults: whose memories there are.
public enum VaultsOperation: Operation {
    /// `operationId` in OpenAPI; the viewer's list of vaults is made of it.
    public static let name = "vaults"
    /// The sentence that OpenAPI shows.
    public static let summary = "Show whose memories you reach: how many they are, and what is shared."
    /// `read`; vaults that the caller does not reach are not named.
    public static let permission = Permission.read
    /// The limit is in the query.
    public static let route: Route? = Route(.get, "/v1/vaults")
    /// HTTP alone, for the viewer.
    public static let surfaces: Set<Surface> = [.http]
    static let limit = Parameter<Int>(
        "limit", "At most so many; 200 if left out.", range: 1...10_000)
    /// Vaults at most; 200 if left out.
    public static let parameters: [any AnyParameter] = [limit]

    /// A vault: the memories of one user.
    struct Row: Encodable, Sendable {
        var vault: Owner
        /// Memories of any state; absent where the caller does not reach all of them.
        var memories: Int?
        /// Grants by which others reach it; absent as above.
        var grants: Int?
        /// True if somebody else shares it with the caller, whole or in part.
        var shared: Bool
    }

    /// Vaults by tenant and user, and how many there are in all.
    struct Output: Encodable, Sendable {
        var vaults: [Row]
        var total: Int
    }

    /// Lists the caller's own vaults, or all that it reaches, then those that others share with it.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let caller = context.caller(self)
        let limit = input[limit] ?? 200
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                let own = try store.owners().filter(caller.principal.reaches)
                let shared = Set(try store.grants(to: caller).map(\.owner)).subtracting(own)
                let all =
                    own.sorted(by: Self.precedes).map { ($0, false) }
                    + shared.sorted(by: Self.precedes).map { ($0, true) }
                let rows = try all.prefix(limit).map { owner, isShared in
                    guard !isShared,
                        try store.visibility(of: owner, for: .read, by: caller).isUnrestricted
                    else {
                        return Row(vault: owner, memories: nil, grants: nil, shared: isShared)
                    }
                    return Row(
                        vault: owner, memories: try store.count(owner: owner, limit: .max),
                        grants: try store.grants(owner: owner, by: caller).count, shared: false)
                }
                return Output(vaults: rows, total: all.count)
            })
    }

    private static func precedes(_ a: Owner, _ b: Owner) -> Bool {
        (a.tenant, a.user) < (b.tenant, b.user)
    }
}
