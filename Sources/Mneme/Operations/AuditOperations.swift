import Foundation
import MnemeBase
public import MnemeStore

extension AuditEntry.Outcome: ParameterValue {}

/// audit: who read, changed or was refused what.
public enum AuditOperation: Operation {
    /// `operationId` in OpenAPI, and the operation that the log itself records for a look at it.
    public static let name = "audit"
    /// The sentence that OpenAPI shows.
    public static let summary = "Show the audit log, the latest first: every read, write and refusal."
    /// `admin`: the log names what every user of every tenant read.
    public static let permission = Permission.admin
    /// Filters and page are in the query.
    public static let route: Route? = Route(.get, "/v1/audit")
    /// HTTP alone: `mneme audit` reads the store's log itself, with other options.
    public static let surfaces: Set<Surface> = [.http]
    static let limit = Parameter<Int>("limit", "At most so many; 50 if left out.", range: 1...1000)
    static let before = Parameter<Int>(
        "before", "Only entries before this position, such as `next` of the page before.",
        range: 1...9e15)
    static let principal = Parameter<String>(
        "principal", "Only of this principal, such as local or key:NAME.")
    static let outcome = Parameter<AuditEntry.Outcome>("outcome", "Only with this outcome.")
    static let memory = Parameter<CubeID>("memory", "Only where this memory was read or changed.")
    /// The page, then filters, all of which must fit; none is required.
    public static let parameters: [any AnyParameter] = [limit, before, principal, outcome, memory]

    /// Entries that are read of the log at once, and for one page at most.
    private static let batch = 1_000, most = 20_000

    /// One page.
    struct Output: Encodable, Sendable {
        var entries: [AuditEntry]
        /// For `before` of the next page; absent at the log's beginning. A page that was looked for
        /// long may hold fewer entries than asked for, or none.
        var next: Int64?
    }

    /// Reads the log backwards until a page is full, or so much of it was looked through.
    ///
    /// - Throws: `AccessError` for whoever does not look after the whole store.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let limit = input[limit] ?? 50
        let given = input[before].map(Int64.init)
        let name = input[principal]
        let outcome = input[outcome]
        let cube = input[memory]
        let caller = context.caller(self)
        let fits: @Sendable (AuditEntry) -> Bool = { entry in
            (name == nil || entry.principal == name)
                && (outcome == nil || entry.outcome == outcome)
                && (cube.map(entry.cubes.contains) ?? true)
        }
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                let last = try store.auditPosition(by: caller)
                // Above what is to be read next.
                var end = min(given ?? .max, last + 1)
                var found: [AuditEntry] = []
                var read = 0
                while end > 1, found.count < limit, read < Self.most {
                    let size = min(Int64(Self.batch), end - 1)
                    let page = try store.auditEntries(
                        after: end - 1 - size, limit: Int(size), by: caller
                    ).filter { $0.position < end }
                    read += Int(size)
                    // A log that was shortened begins later.
                    guard let first = page.first else {
                        end = 1
                        break
                    }
                    let fitting = page.reversed().filter(fits).prefix(limit - found.count)
                    found += fitting
                    end = found.count == limit ? found[limit - 1].position : first.position
                }
                return Output(entries: found, next: end > 1 ? end : nil)
            })
    }
}

/// verify-audit: nothing was changed, taken out or put in.
public enum VerifyAuditOperation: Operation {
    /// `operationId` in OpenAPI, and the operation that the log records for the check.
    public static let name = "verify-audit"
    /// The sentence that OpenAPI shows: what is checked against what.
    public static let summary =
        "Check the audit log's chain and signatures, and each memory's history against it."
    /// The limit of this check: signatures show that a key signed, not whose key it is.
    public static let discussion =
        "Any key's signatures are taken. Whether they are of the key that you trust, `mneme audit verify` says."
    /// `admin`, as the check reads the whole log and every journal.
    public static let permission = Permission.admin
    /// `POST`, as it reads everything and takes time that grows with the log.
    public static let route: Route? = Route(.post, "/v1/audit/verify")
    /// HTTP alone: `mneme audit verify` takes keys and a trusted head besides.
    public static let surfaces: Set<Surface> = [.http]
    /// None: the whole log is checked, or nothing.
    public static let parameters: [any AnyParameter] = []

    /// Walks the whole log and the journal. Findings are an answer, not an error.
    ///
    /// - Throws: `AccessError` for whoever does not look after the whole store.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                try store.verifyAudit(keys: nil, head: nil, by: caller)
            })
    }
}
