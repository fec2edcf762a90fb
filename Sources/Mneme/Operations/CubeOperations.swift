import Foundation
import MnemeBase
import MnemeIndex
public import MnemeStore

/// get: one memory.
public enum GetOperation: Operation {
    /// The command, the MCP tool and the `operationId`; one of the tools of the core.
    public static let name = "get"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Show one memory and its links."
    /// `read`; labels above the caller's clearance stay hidden all the same.
    public static let permission = Permission.read
    /// The id is part of the path, `as_of` and the owner are in the query.
    public static let route: Route? = Route(.get, "/v1/memories/{id}")
    /// A time of recording, not of the event: answers "what did we know then".
    static let asOf = Parameter<Date>("as_of", "The version that was recorded then.")
    /// The id (required), `as_of` (now if left out), the owner.
    public static let parameters: [any AnyParameter] = [MemoryParameters.id, asOf] + ScopeParameters.owner

    /// Reads one memory as it is, or as it was recorded at `as_of`, with its links.
    ///
    /// - Throws: `StoreError` of class not found if it is not there or not visible to the
    ///   caller: the two look alike on purpose.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let id = try input.require(MemoryParameters.id)
        let date = input[asOf]
        let caller = context.caller(self)
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                guard let cube = try store.cube(id, owner: owner, asOf: date, by: caller) else {
                    throw StoreError(.notFound, "There is no memory \(id) in this scope.")
                }
                return CubeOutput(
                    memory: cube, links: try store.links(of: id, owner: owner, by: caller))
            })
    }
}

/// list: memories page by page.
public enum ListOperation: Operation {
    /// The command, the MCP tool and the `operationId`; one of the tools of the core.
    public static let name = "list"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "List memories, the newest first."
    /// `read`; memories above the caller's clearance are left out and not counted.
    public static let permission = Permission.read
    /// All parameters are in the query.
    public static let route: Route? = Route(.get, "/v1/memories")
    static let limit = Parameter<Int>("limit", "At most so many; 20 if left out.", range: 1...1000)
    /// A cursor by id rather than a number of rows to skip: pages stay right while memories are
    /// added.
    static let after = Parameter<CubeID>(
        "after", "Continue after this memory, the last of the page before.")
    static let type = Parameter<MemoryType>("type", "Only this kind of memory.")
    static let state = Parameter<LifecycleState>("state", "Only memories in this state.")
    static let tier = Parameter<MemoryTier>("tier", "Only memories of this tier.")
    static let tag = Parameter<String>("tag", "Only memories with this tag.")
    static let form = Parameter<MemoryForm>(
        "form", "Only what is kept as that: texts, keys and values (kv), or adapters.")
    static let from = Parameter<Date>("from", "Only what happened from then on.")
    static let before = Parameter<Date>("before", "Only what happened before then.")
    /// Valid time: by when something happened and held.
    static let at = Parameter<Date>(
        "at", "Only facts valid at that time: nothing later, and nothing whose validity had ended.")
    /// Transaction time: by when it was written down, whatever it is about.
    static let asOf = Parameter<Date>("as_of", "As it was recorded at that time.")
    static let oldest = Parameter<Bool>("oldest_first", "The oldest first.")
    /// Page, filters that must all fit, and the scope; none is required. A page has 20 rows.
    public static let parameters: [any AnyParameter] =
        [limit, after, type, state, tier, tag, form, from, before, at, asOf, oldest] + ScopeParameters.all

    /// One page.
    struct Output: Encodable, Sendable {
        var memories: [MemCube]
        /// For `after` of the next page; absent on the last.
        var next: CubeID?
    }

    /// Reads one memory more than the page holds, which tells whether there is a next page without
    /// counting all.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        var filter = CubeFilter(
            owner: try ScopeParameters.owner(input, context), limit: (input[limit] ?? 20) + 1)
        filter.agent = input[ScopeParameters.agent]
        filter.session = input[ScopeParameters.session]
        filter.type = input[type]
        filter.state = input[state]
        filter.tier = input[tier]
        filter.tag = input[tag]
        filter.form = input[form]
        filter.from = input[from]
        filter.before = input[before]
        filter.after = input[after]
        filter.at = input[at]
        filter.asOf = input[asOf]
        filter.newestFirst = !(input[oldest] ?? false)
        var cubes = try await context.memory.run { [store = context.memory.store, filter] in
            try store.list(filter, by: context.caller(self))
        }
        let more = cubes.count == filter.limit
        if more { cubes.removeLast() }
        return .value(Output(memories: cubes, next: more ? cubes.last?.id : nil))
    }
}

/// update: a next version.
public enum UpdateOperation: Operation {
    /// The command, the MCP tool and the `operationId`; one of the tools of the core.
    public static let name = "update"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Change a memory; the version before stays in its history."
    /// True: a changed text is embedded anew.
    public static let readsMeaning = true
    /// `write`; the store asks for `read`, too, as the answer shows the memory.
    public static let permission = Permission.write
    /// `PATCH`: members that the body leaves out stay as they are.
    public static let route: Route? = Route(.patch, "/v1/memories/{id}")
    static let text = Parameter<String>("text", "The new text.")
    static let type = Parameter<MemoryType>("type", "The new kind.")
    static let tag = Parameter<[String]>("tag", "The new tags, in place of the old.")
    static let time = Parameter<ZonedTime>("time", "The new time.")
    static let expires = Parameter<Date>("expires", "When it stops being recalled.")
    static let sensitivity = Parameter<Sensitivity>(
        "sensitivity", "The sensitivity label from now on.")
    static let metadata = Parameter<[String: String]>(
        "metadata", "An object of text values, in place of those before.", surfaces: [.http])
    /// The id (required), then the fields that change, the reason, the owner.
    public static let parameters: [any AnyParameter] =
        MemoryParameters.forChange(text, type, tag, time, expires, sensitivity, metadata)

    /// Changes what the input names, and leaves the rest. Only a changed text loses its voucher: a
    /// word for one text is none for another.
    ///
    /// - Throws: `StoreError` of class conflict if somebody changed the memory meanwhile, or it is
    ///   frozen; `InputError` for values out of the bounds of `MemoryLimits`.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let id = try input.require(MemoryParameters.id)
        let memory = context.memory
        let caller = context.caller(self, reason: input[MemoryParameters.reason])
        let result = try await memory.run { () -> MemCube in
            guard var cube = try memory.store.cube(id, owner: owner, asOf: nil, by: caller) else {
                throw StoreError(.notFound, "There is no memory \(id) in this scope.")
            }
            if let text = input[text], text != cube.text {
                (cube.text, cube.vouchedBy) = (text, nil)
            }
            cube.type = input[type] ?? cube.type
            cube.tags = input[tag] ?? cube.tags
            if let time = input[time] {
                (cube.eventTime, cube.utcOffset) = (time.date, time.utcOffset)
            }
            cube.expires = input[expires] ?? cube.expires
            cube.sensitivity = input[sensitivity] ?? cube.sensitivity
            cube.metadata = input[metadata] ?? cube.metadata
            let (analysis, hash) = try memory.describe(&cube)
            if input[sensitivity] != nil { try memory.raiseLabels(ofDerivedFrom: cube, by: caller) }
            return try memory.store.commit(
                [.update(cube, analysis: analysis, contentHash: hash)], owner: owner, by: caller)[0]
        }
        memory.scheduleEmbedding()
        return .value(CubeOutput(memory: result))
    }
}

/// forget: out of recall, restorable.
public enum ForgetOperation: Operation {
    /// The command, the MCP tool and the `operationId`; one of the tools of the core.
    public static let name = "forget"
    /// The sentence that help, OpenAPI and the MCP tool show; names the way back.
    public static let summary = "Take a memory out of recall; `restore` undoes it."
    /// `write`, not `erase`: nothing is lost.
    public static let permission = Permission.write
    /// `DELETE` archives; `POST …/erase` is what removes for good.
    public static let route: Route? = Route(.delete, "/v1/memories/{id}")
    /// The id (required), the reason, the owner.
    public static let parameters: [any AnyParameter] = MemoryParameters.forChange()

    /// Archives the memory: it keeps its text, history and links.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        try await MemoryParameters.change(self, input, context, Mutation.archive)
    }
}

/// restore: undoes forget.
public enum RestoreOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "restore"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Take a memory back that was forgotten, corrected or frozen."
    /// `write`, as for what it undoes.
    public static let permission = Permission.write
    /// The id is part of the path; reason and owner are in the body.
    public static let route: Route? = Route(.post, "/v1/memories/{id}/restore")
    /// The id (required), the reason, the owner.
    public static let parameters: [any AnyParameter] = MemoryParameters.forChange()

    /// Takes an archived, merged or frozen memory back into use; what it had ended before ends
    /// again.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        try await MemoryParameters.change(self, input, context, Mutation.restore)
    }
}

/// erase: gone for good.
public enum EraseOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "erase"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary =
        "Remove a memory for good: its text, vector, index entries and history."
    /// Traces that remain after an erasure, and files outside the store that are written again.
    public static let discussion =
        "Cannot be undone. The journal keeps that something was erased, by whom and why, but not what it said. Files that `export -o` and `vault export` wrote are written again without it."
    /// `erase`, a permission of its own, as it cannot be undone.
    public static let permission = Permission.erase
    /// `POST` to `/erase`; the `DELETE` of a memory is `forget`.
    public static let route: Route? = Route(.post, "/v1/memories/{id}/erase")
    /// Only where the caller's own disk is meant: a server does not write to paths that a request
    /// names.
    static let prove = Parameter<String>(
        "prove", "Write a report to this file; `mneme verify-erasure` checks it.",
        surfaces: [.commandLine])
    /// The id (required), `prove` on the command line, the reason, the owner.
    public static let parameters: [any AnyParameter] = MemoryParameters.forChange(prove)
    /// Bytes of disk that a report is sure to find: more than the hashes of a long memory take.
    private static let reportRoom = 1 << 20

    /// The outcome of an erasure, and where traces are left.
    struct Output: Encodable, Sendable {
        var erased: CubeID
        /// The report's file, and how many files were looked through for pieces of the memory.
        var report: String?
        var filesSearched: Int?
        /// Files that still hold pieces of the text.
        var filesHolding: [String]?
        /// What of the store was not looked into, in a sentence.
        var unsearched: String?
        /// Adapters that were made from it: out of use, their weights erased.
        var adapters: [String]?
        /// What was found on other machines, such as a server that keeps keys and values.
        var elsewhere: [RemoteSearch]?
        /// Copies that had left the store, as far as they hold it or held it: what became of it
        /// there.
        var copies: [ExportedCopy]?

        /// Names the copies that hold or held the memory, to administrators only: where files lie
        /// is the business of whoever looks after the store.
        mutating func name(_ copies: [ExportedCopy], for principal: Principal) {
            let telling = copies.filter { $0.outcome != .clean }
            self.copies = telling.isEmpty || !principal.permissions.contains(.admin) ? nil : telling
        }
    }

    /// Erases the memory and what was made of it, in the store, in indexes, in computed keys and
    /// values and in copies that can be reached; with `prove`, looks through all files afterwards.
    ///
    /// The report's file is opened before anything is erased, so that a folder that cannot be
    /// written to is found out in time.
    ///
    /// - Throws: `AccessError`, `StoreError`, `FileError`; the latter's message says whether the
    ///   memory was erased.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let id = try input.require(MemoryParameters.id)
        let caller = context.caller(self, reason: input[MemoryParameters.reason])
        guard let path = input[prove] else {
            var output = Output(erased: id)
            output.name(
                try await context.memory.erase(id, owner: owner, by: caller), for: context.principal
            )
            output.adapters = try await Self.adapters(id, context)
            return .value(output)
        }
        // A report that cannot be written is told before anything is erased: its file is begun, and
        // room for it is taken on the disk.
        let file: AtomicFile
        var room: AtomicFile?
        do {
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
                isFolder.boolValue
            {
                throw FileError(path, code: EISDIR)
            }
            file = try AtomicFile(path)
            room = try AtomicFile(path)
            try room?.write(Data(count: reportRoom))
        } catch let error as FileError {
            throw error.adding("Nothing was erased.")
        }
        let proof = try await context.memory.eraseWithProof(id, owner: owner, by: caller)
        room = nil
        do {
            try file.write(Data(OperationTable.encode(proof, pretty: true).utf8))
            try file.finish()
        } catch let error as FileError {
            throw error.adding("The memory is erased, but its report is not there.")
        }
        var output = Output(
            erased: id, report: path, filesSearched: proof.findings.count,
            filesHolding: proof.findings.filter { !$0.offsets.isEmpty }.map(\.path),
            unsearched: proof.unsearched, elsewhere: proof.elsewhere)
        output.name(proof.copies ?? [], for: context.principal)
        output.adapters = try await Self.adapters(id, context)
        return .value(output)
    }

    /// Adapters that went out of use with a memory; nil if there are none.
    private static func adapters(_ id: CubeID, _ context: OperationContext) async throws -> [String]? {
        let names = try await context.memory.outOfUse(madeOf: id)
        return names.isEmpty ? nil : names
    }
}

/// history: every version.
public enum HistoryOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "history"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Show every change of a memory: what, when, by whom, why."
    /// `read`; the memory as it is now must be visible to the caller.
    public static let permission = Permission.read
    /// The id is part of the path, the owner is in the query.
    public static let route: Route? = Route(.get, "/v1/memories/{id}/history")
    /// The id (required) and the owner. There are no pages: the answer has all entries.
    public static let parameters: [any AnyParameter] = [MemoryParameters.id] + ScopeParameters.owner

    /// All entries of one memory.
    struct Output: Encodable, Sendable {
        var history: [JournalEntry]
    }

    /// Reads the journal's entries of one memory, the oldest first. An erased one has entries
    /// without text.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let id = try input.require(MemoryParameters.id)
        let entries = try await context.memory.run { [store = context.memory.store] in
            try store.history(id, owner: owner, by: context.caller(self))
        }
        guard !entries.isEmpty else {
            throw StoreError(.notFound, "There is no memory \(id) in this scope.")
        }
        return .value(Output(history: entries))
    }
}

/// link: relates two memories.
public enum LinkOperation: Operation {
    /// The command, the MCP tool and the `operationId`.
    public static let name = "link"
    /// The sentence that help, OpenAPI and the MCP tool show.
    public static let summary = "Relate one memory to another."
    /// `write`; the store asks for `read`, too, as the answer shows the links.
    public static let permission = Permission.write
    /// The id of the link's source is part of the path.
    public static let route: Route? = Route(.post, "/v1/memories/{id}/links")
    static let target = Parameter<CubeID>(
        "target", "The other memory.", required: true, positional: true)
    /// A word of 1 to 64 bytes; those that Mneme makes itself are named in `CubeLink`.
    static let kind = Parameter<String>(
        "kind", "How they relate, such as 'derivedFrom'; 'related' if left out.")
    static let remove = Parameter<Bool>("remove", "Remove the link instead.")
    /// The source's id and the target's (required), `kind` ('related'), `remove` (false).
    public static let parameters: [any AnyParameter] =
        MemoryParameters.forChange(target, kind, remove)

    /// Links after the change.
    struct Output: Encodable, Sendable {
        var links: [CubeLink]
    }

    /// Adds or removes one link. Linking twice changes nothing; removing what is not there is an
    /// error.
    public static func run(_ input: OperationInput, _ context: OperationContext) async throws
        -> OperationOutput
    {
        let owner = try ScopeParameters.owner(input, context)
        let kind = input[kind] ?? "related"
        guard (1...64).contains(kind.utf8.count) else {
            throw InputError("'kind' has 1 to 64 bytes.")
        }
        let link = CubeLink(
            source: try input.require(MemoryParameters.id), target: try input.require(target), kind: kind,
            time: context.now)
        let caller = context.caller(self, reason: input[MemoryParameters.reason])
        let removes = input[remove] ?? false
        return .value(
            try await context.memory.run { [store = context.memory.store] in
                _ = try store.commit(
                    [removes ? .unlink(link) : .link(link)], owner: owner, by: caller)
                return Output(links: try store.links(of: link.source, owner: owner, by: caller))
            })
    }
}
