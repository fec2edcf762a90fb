public import Foundation
public import MnemeStore

/// What a caller may do.
public enum Permission: String, Sendable, Codable, CaseIterable {
    case read, write, erase, admin
}

/// Who calls, and what they may do with whose memories.
public struct Principal: Sendable, Codable {
    /// How it is named in the journal.
    public var name: String
    /// What it may do.
    public var permissions: Set<Permission>
    /// The only owner whose memories they reach; nil reaches all.
    public var owner: Owner?

    /// A principal; one without an owner may name any.
    public init(name: String, permissions: Set<Permission>, owner: Owner? = nil) {
        self.name = name
        self.permissions = permissions
        self.owner = owner
    }

    /// The owner of that name, or the principal's own.
    ///
    /// - Throws: ``AccessError`` if the principal may not reach it, ``InputError`` for names out of bounds.
    public func reach(tenant: String?, user: String?) throws -> Owner {
        let fallback = owner ?? Owner(), wanted = Owner(tenant: tenant ?? fallback.tenant, user: user ?? fallback.user)
        for name in [wanted.tenant, wanted.user] where name.isEmpty || name.utf8.count > 256 {
            throw InputError("A tenant's or user's name has 1 to 256 bytes.")
        }
        if let owner, owner != wanted { throw AccessError("'\(name)' may only reach the memories of user '\(owner.user)'.") }
        return wanted
    }

    /// Somebody at the machine itself.
    public static let local = Principal(name: "local", permissions: Set(Permission.allCases))
}

/// A caller lacks a permission or may not reach an owner.
public struct AccessError: Error, Sendable, CustomStringConvertible {
    /// What is refused, and what would be needed.
    public let description: String
    /// - Parameter description: what is refused, for the one who asked.
    public init(_ description: String) { self.description = description }
}

/// What an operation runs with.
public struct OperationContext: Sendable {
    /// What is operated on.
    public let memory: MemoryOS
    /// Who asks.
    public let principal: Principal
    /// For operations that take long: done, total (0 if unknown), and what is counted.
    public let progress: (@Sendable (_ done: Int, _ total: Int, _ what: String) -> Void)?
    /// The moment that "now" means in this call.
    public let now: Date

    /// What one call is made with.
    public init(
        memory: MemoryOS, principal: Principal, now: Date = Date(),
        progress: (@Sendable (_ done: Int, _ total: Int, _ what: String) -> Void)? = nil
    ) {
        self.memory = memory
        self.principal = principal
        self.progress = progress
        self.now = now
    }

    func writeContext(reason: String? = nil) -> WriteContext { WriteContext(principal: principal.name, reason: reason, time: now) }
}

/// An HTTP method and path; `{id}` in the path is a parameter.
public struct Route: Sendable, Hashable {
    /// Methods of HTTP that routes use.
    public enum Method: String, Sendable { case get = "GET", post = "POST", patch = "PATCH", delete = "DELETE" }
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

/// What an operation answers.
public enum OperationOutput: Sendable {
    /// One value.
    case value(any Encodable & Sendable)
    /// JSON lines, made as they are taken.
    case lines(AsyncThrowingStream<String, any Error>)
}

/// One thing that Mneme does, declared once. The command line, HTTP, its OpenAPI document and MCP are
/// made from ``OperationTable/all``, so that they cannot drift apart.
public protocol Operation: Sendable {
    /// The command's and the tool's name.
    static var name: String { get }
    /// One sentence.
    static var summary: String { get }
    /// More, for help pages.
    static var discussion: String { get }
    /// What the principal needs.
    static var permission: Permission { get }
    /// Where HTTP has it; nil if it does not.
    static var route: Route? { get }
    /// Where it exists.
    static var surfaces: Set<Surface> { get }
    /// What it takes: options, query and body fields, tool arguments.
    static var parameters: [any AnyParameter] { get }
    /// Carries it out. Input is checked against ``parameters`` before.
    static func run(_ input: OperationInput, _ context: OperationContext) async throws -> OperationOutput
}

extension Operation {
    /// No further text.
    public static var discussion: String { "" }
    /// Everywhere.
    public static var surfaces: Set<Surface> { Set(Surface.allCases) }

    /// Checks permission and arguments, then runs.
    public static func call(_ arguments: [String: JSONValue], _ context: OperationContext, surface: Surface) async throws -> OperationOutput {
        guard context.principal.permissions.contains(permission) else {
            throw AccessError("'\(context.principal.name)' may not \(name): the permission '\(permission.rawValue)' is missing.")
        }
        return try await run(try OperationInput(arguments, parameters: parameters, surface: surface), context)
    }

    /// JSON schema of the arguments that `surface` takes.
    public static func inputSchema(_ surface: Surface) -> JSONValue {
        let offered = parameters.filter { $0.surfaces.contains(surface) }
        return [
            "type": "object",
            "properties": .object(Dictionary(uniqueKeysWithValues: offered.map { ($0.name, $0.schema) })),
            "required": .array(offered.filter(\.isRequired).map { .string($0.name) }),
            "additionalProperties": false,
        ]
    }
}

/// Parameters that select whose memories.
enum ScopeParameters {
    static let tenant = Parameter<String>("tenant", "Tenant; 'default' if left out.")
    static let user = Parameter<String>("user", "Whose memory; 'default' if left out.")
    static let agent = Parameter<String>("agent", "Agent that the memory belongs to.")
    static let session = Parameter<String>("session", "Conversation that the memory belongs to.")
    static let owner: [any AnyParameter] = [user, tenant]
    static let all: [any AnyParameter] = [user, agent, session, tenant]

    /// - Throws: ``AccessError`` if the principal may not reach the owner asked for.
    static func owner(_ input: OperationInput, _ context: OperationContext) throws -> Owner {
        try context.principal.reach(tenant: input[tenant], user: input[user])
    }

    static func scope(_ input: OperationInput, _ context: OperationContext) throws -> Scope {
        let owner = try owner(input, context)
        return Scope(tenant: owner.tenant, user: owner.user, agent: input[agent], session: input[session])
    }
}

/// Every operation.
public enum OperationTable {
    /// Every operation, in the order of the help.
    public static let all: [any Operation.Type] = [
        RememberOperation.self, RecallOperation.self, GetOperation.self, ListOperation.self, UpdateOperation.self, ForgetOperation.self,
        RestoreOperation.self, EraseOperation.self, HistoryOperation.self, LinkOperation.self, ImportOperation.self, ExportOperation.self,
        StatsOperation.self, DoctorOperation.self,
    ]

    /// The encoder of every surface: ISO 8601 dates, stable key order.
    public static func encode(_ value: some Encodable, pretty: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
