public import MnemeStore

/// whoami: the caller, as the store sees it.
public enum WhoamiOperation: Operation {
    /// `operationId` in OpenAPI; the viewer asks for it.
    public static let name = "whoami"
    /// The sentence that OpenAPI shows.
    public static let summary = "Show who you are to the store: permissions, reach and bounds."
    /// `read`, the least that a key can have and use.
    public static let permission = Permission.read
    /// Takes no query.
    public static let route: Route? = Route(.get, "/v1/whoami")
    /// HTTP alone: on the command line the caller is the local user.
    public static let surfaces: Set<Surface> = [.http]
    /// None: it is about the caller's key.
    public static let parameters: [any AnyParameter] = []

    /// The principal in a fixed order, so that answers compare.
    struct Output: Encodable, Sendable {
        var name: String
        var permissions: [String]
        var tenant, user, agent: String?
        var roles: [String]
        var clearance: Sensitivity
        var quota: Int?
        /// True if nobody's memories are closed to the caller.
        var reachesAll: Bool
    }

    /// Reads nothing but the principal itself.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let principal = context.principal
        return .value(
            Output(
                name: principal.name, permissions: principal.permissions.map(\.rawValue).sorted(),
                tenant: principal.tenant, user: principal.user, agent: principal.agent,
                roles: principal.roles.sorted(), clearance: principal.clearance,
                quota: principal.quota, reachesAll: principal.reachesAll))
    }
}
