import Foundation
public import MnemeStore

/// The tenant to show; a principal of one tenant sees no other's.
private let tenant = Parameter<String>("tenant", "Whose policy; 'default' if left out.")

extension MemoryPolicy.Protection: ParameterValue {}

/// A tenant's policy as it is shown: the redaction in a fixed order, so that answers compare.
struct PolicyOutput: Encodable, Sendable {
    var tenant: String?
    var protection: MemoryPolicy.Protection
    var redaction: [MemoryPolicy.Redaction]
    var keepsOriginals: Bool

    /// - Parameter tenant: nil for the policy of all tenants without one of their own.
    init(_ policy: MemoryPolicy, tenant: String?) {
        (self.tenant, protection, keepsOriginals) = (
            tenant, policy.protection, policy.keepsOriginals
        )
        redaction = policy.redaction.sorted { $0.rawValue < $1.rawValue }
    }
}

/// policy: what is done with what comes in.
public enum PolicyOperation: Operation {
    /// The command and the `operationId`.
    public static let name = "policy"
    /// The sentence that help and OpenAPI show.
    public static let summary = "Show what is done with texts that come in: quarantined, marked, redacted."
    /// `read`; a tenant's policy is closed to principals of other tenants.
    public static let permission = Permission.read
    /// The tenant is in the query.
    public static let route: Route? = Route(.get, "/v1/policy")
    /// The command line and HTTP; no MCP tool.
    public static let surfaces: Set<Surface> = [.commandLine, .http]
    /// The tenant; 'default' if left out.
    public static let parameters: [any AnyParameter] = [tenant]

    /// Shows the policy in force: the tenant's own, else the one for all.
    /// - Throws: `AccessError` if the principal belongs to another tenant; the refusal is audited.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let name = input[tenant] ?? context.principal.home.tenant
        guard context.principal.tenant.map({ $0 == name }) ?? true else {
            throw context.memory.store.refuse(
                "'\(context.principal.name)' may not see another tenant's policy.", owner: nil,
                by: context.caller(self)
            )
        }
        return .value(
            PolicyOutput(
                try await context.memory.run { [store = context.memory.store] in
                    try store.policy(of: name)
                },
                tenant: name))
    }
}

/// set-policy: what will be done with what comes in.
public enum SetPolicyOperation: Operation {
    /// The command and the `operationId`.
    public static let name = "set-policy"
    /// The sentence that help and OpenAPI show.
    public static let summary = "Set what is done with texts that come in, for a tenant or for all."
    /// From when it holds, and what each kind of redaction takes out.
    public static let discussion = """
        Holds for what comes in from now on, a second later in other processes. `secrets` are keys, tokens and passwords; `personal` are addresses of \
        mail and network, telephone, card and account numbers, found by rule. What is not given stays as it is.
        """
    /// `admin`: it decides for every writer of a tenant.
    public static let permission = Permission.admin
    /// `PATCH`: members that the body leaves out stay as they are.
    public static let route: Route? = Route(.patch, "/v1/policy")
    /// The command line and HTTP; models cannot change what screens their input.
    public static let surfaces: Set<Surface> = [.commandLine, .http]
    /// Nil means the policy for all tenants without one of their own, which is why this is another
    /// parameter than the one of `policy`.
    static let wide = Parameter<String>(
        "tenant", "Whose policy; all who have none of their own if left out.")
    static let protection = Parameter<MemoryPolicy.Protection>(
        "protection",
        "What becomes of texts that read like instructions to a model: 'hold' keeps them out of recall, 'mark' marks them, 'off' does nothing."
    )
    static let redact = Parameter<[String]>(
        "redact",
        "What is taken out of texts before they are kept: 'secrets', 'personal' or 'nothing'.")
    /// The rule for a text as it was before redaction.
    enum Originals: String, CaseIterable, ParameterValue { case keep, discard }
    static let originals = Parameter<Originals>(
        "originals",
        "What becomes of texts as they were: 'keep' archives them, labelled 'restricted'.")
    static let reset = Parameter<Bool>("reset", "Take the policy back.")
    /// The tenant (all), the guard, redaction, originals, `reset` (false); all optional.
    public static let parameters: [any AnyParameter] = [wide, protection, redact, originals, reset]

    /// Sets what the input names, and leaves the rest of the policy; with `reset`, removes the
    /// tenant's own. Memories that are there already are not changed.
    ///
    /// - Returns: the policy in force afterwards.
    /// - Throws: `InputError` for an unknown kind of redaction, `AccessError`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let name = input[wide] ?? context.principal.tenant
        let caller = context.caller(self)
        let store = context.memory.store
        var redaction: Set<MemoryPolicy.Redaction>?
        if let words = input[redact] {
            redaction = []
            for word in words.flatMap({ $0.split(separator: ",").map(String.init) })
            where word != "nothing" {
                guard let known = MemoryPolicy.Redaction(rawValue: word) else {
                    throw InputError("'redact' takes 'secrets', 'personal' or 'nothing'.")
                }
                redaction!.insert(known)
            }
        }
        let wanted = redaction
        return .value(
            PolicyOutput(
                try await context.memory.run {
                    if input[reset] ?? false {
                        try store.setPolicy(nil, tenant: name, by: caller)
                        return try store.policy(of: name ?? "")
                    }
                    var policy = try store.policy(of: name ?? "")
                    policy.protection = input[protection] ?? policy.protection
                    policy.redaction = wanted ?? policy.redaction
                    if let originals = input[originals] {
                        policy.keepsOriginals = originals == .keep
                    }
                    try store.setPolicy(policy, tenant: name, by: caller)
                    return policy
                }, tenant: name))
    }
}
