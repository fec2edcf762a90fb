public import Foundation
public import MnemeStore

/// The owner that a request means.
extension Principal {
    /// The owner of that name, or the principal's own. Whether the principal reaches it, the store
    /// says.
    ///
    /// - Throws: `InputError` for names out of bounds.
    public func owner(tenant: String?, user: String?) throws -> Owner {
        let wanted = Owner(tenant: tenant ?? home.tenant, user: user ?? home.user)
        for name in [wanted.tenant, wanted.user] where name.isEmpty || name.utf8.count > 256 {
            throw InputError("A tenant's or user's name has 1 to 256 bytes.")
        }
        guard !(wanted.tenant + wanted.user).utf8.contains(0) else {
            throw InputError("A tenant's or user's name must not hold a NUL character.")
        }
        return wanted
    }
}

/// The context of one call: the memory system, who asks, and the time that counts as now.
public struct OperationContext: Sendable {
    /// The memory system that is operated on.
    public let memory: MemoryOS
    /// The authenticated principal that asks.
    public let principal: Principal
    /// For operations that take long: done, total (0 if unknown), and what is counted.
    public let progress: (@Sendable (_ done: Int, _ total: Int, _ what: String) -> Void)?
    /// The moment that "now" means in this call.
    public let now: Date
    /// Names the request in the audit log.
    public let request: String?

    /// A context; without a time now is the moment of the call, by the store's clock.
    public init(
        memory: MemoryOS, principal: Principal, now: Date? = nil, request: String? = nil,
        progress: (@Sendable (_ done: Int, _ total: Int, _ what: String) -> Void)? = nil
    ) {
        self.memory = memory
        self.principal = principal
        self.progress = progress
        self.now = now ?? memory.now
        self.request = request
    }

    /// The caller that the store sees: the principal with the operation's name, the reason and the
    /// request, which the journal and the audit log keep.
    func caller(_ operation: (any Operation.Type), reason: String? = nil) -> Caller {
        Caller(principal, operation: operation.name, reason: reason, request: request, time: now)
    }
}

/// An HTTP method and path; `{id}` in the path is a parameter.
public struct Route: Sendable, Hashable {
    /// Methods of HTTP that routes use.
    public enum Method: String, Sendable {
        /// Reads.
        case get = "GET"
        /// Adds, or runs what is neither read nor changed in place.
        case post = "POST"
        /// Changes parts.
        case patch = "PATCH"
        /// Takes away.
        case delete = "DELETE"
    }
    /// The method.
    public let method: Method
    /// The path; `{id}` stands for a memory's id.
    public let path: String

    /// A method and a path.
    public init(_ method: Method, _ path: String) {
        self.method = method
        self.path = path
    }
}

/// The answer of an operation, which each surface writes in its own form.
public enum OperationOutput: Sendable {
    /// One value.
    case value(any Encodable & Sendable)
    /// JSON lines, made as they are taken.
    case lines(AsyncThrowingStream<String, any Error>)
}

/// One thing that Mneme does, declared once. The command line, HTTP, its OpenAPI document and MCP
/// are made from ``OperationTable/all``, so that they cannot drift apart.
///
/// An operation is a type without values: everything that it needs stands in its input and context.
/// A new one is a new file and a line in ``OperationTable/all``.
public protocol Operation: Sendable {
    /// The command's and the tool's name.
    static var name: String { get }
    /// One sentence.
    static var summary: String { get }
    /// More, for help pages.
    static var discussion: String { get }
    /// The permission that the principal needs for it.
    static var permission: Permission { get }
    /// The method and path over HTTP; nil if it is not there.
    static var route: Route? { get }
    /// The surfaces that offer it.
    static var surfaces: Set<Surface> { get }
    /// True if it is worth little without an embedding model.
    static var readsMeaning: Bool { get }
    /// True if it answers with JSON lines, not with one value.
    static var answersLines: Bool { get }
    /// The parameters that it takes: options, query and body fields, tool arguments.
    static var parameters: [any AnyParameter] { get }
    /// Carries it out. Input is checked against ``parameters`` before.
    static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
}

/// Defaults of operations, and how surfaces call and describe them.
extension Operation {
    /// No further text, by default.
    public static var discussion: String { "" }
    /// All surfaces, by default.
    public static var surfaces: Set<Surface> { Set(Surface.allCases) }
    /// False by default: most operations find memories by id.
    public static var readsMeaning: Bool { false }
    /// Most answer with one value.
    public static var answersLines: Bool { false }

    /// Calls the operation: checks the principal's permission, then the arguments, then that the
    /// owner named may be reached, and runs it.
    ///
    /// - Parameters:
    ///   - arguments: by the parameters' names, as the surface received them.
    ///   - context: the memory, and who calls.
    ///   - surface: where the call comes from; parameters that it does not offer are refused.
    /// - Throws: `AccessError`, `InputError` for arguments, and what the operation throws.
    public static func call(
        _ arguments: [String: JSONValue], _ context: OperationContext, surface: Surface
    )
        async throws -> OperationOutput
    {
        try context.memory.authorize(permission, by: context.caller(Self.self))
        let input = try OperationInput(arguments, parameters: parameters, surface: surface)
        // Asked before anything is done; the store asks again where it is done.
        if parameters.contains(where: { $0.name == ScopeParameters.user.name }) {
            let owner = try ScopeParameters.owner(input, context)
            let caller = context.caller(Self.self)
            let store = context.memory.store
            _ = try await context.memory.run {
                try store.visibility(of: owner, for: permission, by: caller)
            }
        }
        return try await run(input, context)
    }

    /// JSON schema of the arguments that `surface` takes.
    ///
    /// Closed: no other members are allowed, so that a misspelt argument is an error and not
    /// ignored.
    public static func inputSchema(_ surface: Surface) -> JSONValue {
        let offered = parameters.filter { $0.surfaces.contains(surface) }
        return [
            "type": "object",
            "properties": .object(
                Dictionary(uniqueKeysWithValues: offered.map { ($0.name, $0.schema) })),
            "required": .array(offered.filter(\.isRequired).map { .string($0.name) }),
            "additionalProperties": false,
        ]
    }
}

/// Parameters that select whose memories.
enum ScopeParameters {
    static let tenant = Parameter<String>("tenant", "Tenant; 'default' if left out.")
    static let user = Parameter<String>("user", "Whose memory; 'default' if left out.")
    /// Together with the session the part of an owner's memories that is meant.
    static let agent = Parameter<String>("agent", "Agent that the memory belongs to.")
    static let session = Parameter<String>("session", "Conversation that the memory belongs to.")
    /// Those that say whose memories are meant.
    static let owner: [any AnyParameter] = [user, tenant]
    /// Those that say where in an owner's memories.
    static let all: [any AnyParameter] = [user, agent, session, tenant]

    /// - Throws: `InputError` for names out of bounds.
    static func owner(_ input: OperationInput, _ context: OperationContext) throws -> Owner {
        try context.principal.owner(tenant: input[tenant], user: input[user])
    }

    /// The scope of a call: the owner as ``owner(_:_:)`` has it, and the agent and session named.
    ///
    /// - Throws: `InputError` for names out of bounds.
    static func scope(_ input: OperationInput, _ context: OperationContext) throws -> Scope {
        let owner = try owner(input, context)
        return Scope(
            tenant: owner.tenant, user: owner.user, agent: input[agent], session: input[session])
    }
}

/// The table of all operations, and the form in which surfaces write answers.
public enum OperationTable {
    /// The encoder of every surface: ISO 8601 dates, stable key order.
    public static func encode(_ value: some Encodable, pretty: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting =
            pretty
            ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
            : [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
