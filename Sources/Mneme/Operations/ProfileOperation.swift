public import MnemeStore

/// profile: who somebody is.
public enum ProfileOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "profile"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Show what memories say of somebody and what still holds, each line with its evidence."
    /// What a line is made of, and how it goes.
    public static let discussion = """
        Lines are made of claims (home, employer, likes and so on) and of statements of the types core and preference. Nothing is \
        stored: a line goes when the memories that say it are erased.
        """
    /// `read`; what the caller may not see is no evidence.
    public static let permission = Permission.read
    /// All parameters are in the query.
    public static let route: Route? = Route(.get, "/v1/profile")

    static let person = Parameter<String>(
        "of", "Whom; whoever says 'I' without a speaker's name if left out.", positional: true)

    /// Whom, and whose memories; all optional.
    public static let parameters: [any AnyParameter] =
        [person, ScopeParameters.agent] + ScopeParameters.owner

    /// Makes the profile.
    ///
    /// - Throws: `InputError` for an empty name, `AccessError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        .value(
            try await context.memory.profile(
                of: input[person], owner: try ScopeParameters.owner(input, context),
                agent: input[ScopeParameters.agent], by: context.caller(self)))
    }
}
