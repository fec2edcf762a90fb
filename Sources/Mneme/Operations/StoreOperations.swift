import Foundation
public import MnemeStore

/// import: conversations and documents from files.
public enum ImportOperation: Operation {
    /// The command and the `operationId`.
    public static let name = "import"
    /// The sentence that help and OpenAPI show: the formats that are read.
    public static let summary =
        "Import exports of OpenAI, Claude, ShareGPT, LoCoMo, mem0, MemOS, Letta, MCP's memory server and Mneme; JSON lines, Markdown, text."
    /// Fields of JSON lines, repeated imports, and whose a file's memories become.
    public static let discussion = """
        What was imported before is recognised, so that an interrupted import is simply repeated. JSON lines need 'content' (or 'text') \
        and may have 'role', 'name', 'time', 'session', 'id' and 'user' (or 'user_id'). What `export` wrote comes back with kinds, times, validity, states and links. \
        A message without a time gets that of its conversation or neighbours. JSON of an unknown form is refused.

        A file may say whose each memory is (mem0, MemOS, `export`, 'user' of a line). If the command names no user, each goes to that user. If it \
        names one (`--user`), memories of a file that names one user go to the user given; of a file that names several, only those of the user given \
        are taken.
        """
    /// True: what is new is embedded before the answer.
    public static let readsMeaning = true
    /// `write`; the store checks it for each owner whose memories are written.
    public static let permission = Permission.write
    /// The content of one file is in the body's `data`.
    public static let route: Route? = Route(.post, "/v1/import")
    /// The command line, which reads paths, and HTTP, which takes a file's content.
    public static let surfaces: Set<Surface> = [.commandLine, .http]

    /// Only on the command line: a server reads no paths that a request names.
    static let path = Parameter<String>(
        "path", "A file, or a folder of Markdown and text files.", required: true, positional: true,
        surfaces: [.commandLine])
    static let data = Parameter<String>(
        "data", "The content of a file.", required: true, surfaces: [.http])
    static let format = Parameter<ImportFormat>(
        "format", "Format; found by name and content if left out.")
    static let strict = Parameter<Bool>(
        "strict", "Stop at the first bad line instead of skipping it.")
    /// `path` on the command line, `data` over HTTP (required), format, `strict`, the scope.
    public static let parameters: [any AnyParameter] =
        [path, data, format, strict] + ScopeParameters.all

    /// Imports a file, a folder or the text of a request, and embeds what is new.
    ///
    /// - Returns: an ``ImportReport``.
    /// - Throws: `InputError` if nothing can be read, or at the first problem of a strict import.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let scope = try ScopeParameters.scope(input, context)
        // Whoever has memories of their own only, means these.
        let importer = Importer(
            memory: context.memory, scope: scope,
            chosen: input[ScopeParameters.user] ?? context.principal.user,
            strict: input[strict] ?? false,
            context: context)
        if let path = input[path] {
            return .value(try await importer.importPath(path, format: input[format]))
        }
        return .value(try await importer.importText(try input.require(data), format: input[format]))
    }
}

/// export: everything as JSON lines.
public enum ExportOperation: Operation {
    /// The command and the `operationId`.
    public static let name = "export"
    /// The sentence that help and OpenAPI show.
    public static let summary = "Write all memories as JSON lines, one each, the oldest first."
    /// The fields that come back by `import`, and those that only a vault package carries.
    public static let discussion = """
        `mneme import` reads them back as they were: texts, kinds, times, validity, states, labels, tags, metadata and links. Earlier versions are not in \
        it; `mneme vault export` writes these, too.
        """
    /// True: the answer is a stream of JSON lines, without a bound.
    public static let answersLines = true
    /// `read`; lines of memories above the caller's clearance are left out.
    public static let permission = Permission.read
    /// The scope is in the query; the answer is `application/x-ndjson`.
    public static let route: Route? = Route(.get, "/v1/export")
    /// The command line and HTTP; the answer is too long for a prompt.
    public static let surfaces: Set<Surface> = [.commandLine, .http]
    /// The scope: owner, agent, session; none is required.
    public static let parameters: [any AnyParameter] = ScopeParameters.all

    /// Streams one line a memory. Links stand in the line of the memory that they lead from.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        var filter = CubeFilter(owner: try ScopeParameters.owner(input, context), limit: 500)
        filter.agent = input[ScopeParameters.agent]
        filter.session = input[ScopeParameters.session]
        let lines = ExportLines(context.memory, filter, by: context.caller(self))
        return .lines(AsyncThrowingStream { try await lines.next() })
    }
}

/// The lines of an export, made a page at a time.
private actor ExportLines {
    /// The memory system that is exported from.
    private let memory: MemoryOS
    /// Whose memories are exported, and with whose rights.
    private let owner: Owner
    private let caller: Caller
    /// Pages that are still to be read, and lines of the page at hand.
    private var pages: CubePages
    private var lines: ArraySlice<String> = []

    /// - Parameter filter: its limit is the size of a page.
    init(_ memory: MemoryOS, _ filter: CubeFilter, by caller: Caller) {
        self.memory = memory
        owner = filter.owner
        self.caller = caller
        pages = CubePages(filter, by: caller)
    }

    /// The next line; nil at the end.
    func next() async throws -> String? {
        if lines.isEmpty {
            var rest = pages
            guard let page = try await rest.next(from: memory) else { return nil }
            pages = rest
            lines = try await memory.run { [store = memory.store, owner, caller] in
                try page.map { cube in
                    try MemoryLine(cube, store.links(of: cube.id, owner: owner, by: caller)).text()
                }
            }[...]
        }
        return lines.popFirst()
    }
}

/// stats: how much is kept.
public enum StatsOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "stats"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Count memories, sessions, vectors and pending work."
    /// `read`; a caller who does not reach everybody gets the counts of one owner.
    public static let permission = Permission.read
    /// User and tenant are in the query.
    public static let route: Route? = Route(.get, "/v1/stats")
    static let user = Parameter<String>("user", "Whose memory; everybody's if left out.")
    static let tenant = Parameter<String>("tenant", "The user's tenant; 'default' if left out.")
    /// The user (everybody) and the tenant ('default'); both optional.
    public static let parameters: [any AnyParameter] = [user, tenant]

    /// Counts in the store; without a user, and for callers who reach everybody, over all owners.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let all = input[user] == nil && context.principal.reachesAll
        let owner = all ? nil : try ScopeParameters.owner(input, context)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                try store.statistics(owner: owner, by: context.caller(self))
            })
    }
}

/// tiers: how far memories have come.
public enum TiersOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "tiers"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary =
        "Show what is short-, mid- and long-term, which topics are warm, and the profile."
    /// When the job `promote` moves a memory, and where its reasons are kept.
    public static let discussion = """
        The job `promote` moves memories: what leaves a conversation joins a topic; topics that are visited often, hold much and were in use of late become \
        long-term; who somebody is and what they like is their profile, which chats begin with. `history` says of each move why.
        """
    /// `read`: the plan is shown, nothing moves.
    public static let permission = Permission.read
    /// Limit and owner are in the query.
    public static let route: Route? = Route(.get, "/v1/tiers")
    static let limit = Parameter<Int>(
        "limit", "At most so many topics; 10 if left out.", range: 1...1000)
    /// Topics at most (10) and the owner; both optional.
    public static let parameters: [any AnyParameter] = [limit] + ScopeParameters.owner

    /// Shows the plan of tiers without moving anything.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        .value(
            try await context.memory.tiers(
                of: try ScopeParameters.owner(input, context), limit: input[limit] ?? 10,
                now: context.now,
                by: context.caller(self)))
    }
}

/// doctor: is everything sound?
public enum DoctorOperation: Operation {
    /// The command and the `operationId`.
    public static let name = "doctor"
    /// The sentence that help and OpenAPI show.
    public static let summary = "Check the store and its invariants; repair what is derived."
    /// `admin`: it reads all owners' memories, and may rebuild indexes.
    public static let permission = Permission.admin
    /// `POST`, as `repair` changes files and a check takes long.
    public static let route: Route? = Route(.post, "/v1/doctor")
    /// The command line and HTTP; no MCP tool.
    public static let surfaces: Set<Surface> = [.commandLine, .http]
    static let repair = Parameter<Bool>("repair", "Rebuild what is derived and faulty.")
    /// `repair`; false if left out, so that a check changes nothing.
    public static let parameters: [any AnyParameter] = [repair]

    /// The findings of all checks, and if all is sound after repairs.
    struct Output: Encodable, Sendable {
        var sound: Bool
        var findings: [StoreFinding]
    }

    /// Checks the store, the indexes on disk and the copies that left. A repair rebuilds what is
    /// derived only: what somebody said is never guessed.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let repairs = input[repair] ?? false
        let caller = context.caller(self)
        let findings = try await context.memory.run { [memory = context.memory] in
            try memory.store.check(repair: repairs, by: caller)
                + memory.checkIndexes(repair: repairs) + [
                    memory.checkCopies(repair: repairs)
                ]
        }
        if repairs { context.memory.scheduleEmbedding(isOwn: false) }
        return .value(
            Output(sound: findings.allSatisfy { $0.sound || $0.repaired }, findings: findings))
    }
}

/// package: a vault for another store.
public enum PackageOperation: Operation {
    /// `operationId` in OpenAPI; `mneme vault subscribe` asks for it.
    public static let name = "package"
    /// The sentence that OpenAPI shows.
    public static let summary =
        "The memories of a user as a vault package, with their history, or what changed since a position."
    /// Who reads it, and what its last line carries.
    public static let discussion =
        "`mneme vault subscribe` of another Mneme follows it. The last line carries the position of the next and a checksum."
    /// True: a package is a stream of JSON lines with a checksum at its end.
    public static let answersLines = true
    /// `read` of the owner's memories.
    public static let permission = Permission.read
    /// Position and owner are in the query.
    public static let route: Route? = Route(.get, "/v1/package")
    /// HTTP alone: `mneme vault export` writes, signs and seals files itself.
    public static let surfaces: Set<Surface> = [.http]
    /// 0 or absent for a full package. The bound is what a `Double` of JSON carries exactly.
    static let since = Parameter<Int>(
        "since",
        "Only what changed after this position of the journal, as an earlier package says it.",
        range: 0...9e15
    )
    static let mark = Parameter<String>(
        "mark",
        "What the earlier package says of that position. If the journal went back since, all memories are packed.")
    /// The position (0, the full package) with its mark, and the owner; all optional.
    public static let parameters: [any AnyParameter] = [since, mark] + ScopeParameters.owner

    /// Streams a package, and notes in the store who took a copy and up to which position, so that
    /// later erasures can be told.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let caller = context.caller(self)
        var since = Int64(input[since] ?? 0)
        if let mark = input[mark] {
            let known = try await context.memory.run { [memory = context.memory, since] in
                try memory.packageMark(of: owner, at: since)
            }
            if known != mark { since = 0 }
        }
        try await context.memory.run { [store = context.memory.store] in
            try store.record(
                VaultExport(
                    owner: owner, kind: .server, place: caller.principal.name, time: caller.time,
                    principal: caller.principal.name,
                    position: try store.position(of: owner)))
        }
        return .lines(context.memory.package(of: owner, since: since, by: caller))
    }
}
