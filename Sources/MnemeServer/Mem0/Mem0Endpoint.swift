import Foundation
import Mneme
import MnemeStore

/// mem0's calls, each as operations of the table.
struct Mem0Endpoint: Sendable {
    /// The memory that operations work on.
    let memory: MemoryOS
    /// The request, whose caller has the permission of its route; each operation asks again.
    let request: WireRequest

    /// The answer to a ping: the owner of the key, for a client that begins by asking. It wants an
    /// organisation and a project: both are the key's tenant.
    var ping: JSONValue {
        let principal = request.caller.principal
        let tenant = JSONValue.string(principal.home.tenant)
        return [
            "status": "ok", "org_id": tenant, "project_id": tenant,
            "user_email": .string(principal.name),
        ]
    }

    // MARK: Several memories

    /// Remembers messages as they are: nothing is made up of them by a model.
    func add() async throws -> JSONValue {
        let fields = request.fields
        let scope = try Mem0Scope(fields)
        var arguments = scope.arguments
        arguments["messages"] = .array(
            try Mem0Fields.messages.require(fields).filter { $0["role"]?.string != "system" })
        try readCommonFields(fields, into: &arguments)
        let output = try await run(RememberOperation.self, arguments)
        return [
            "results": .array(
                (output["memories"]?.array ?? []).map { made in
                    [
                        "id": made["id"] ?? .null, "memory": made["memory"]?["text"] ?? "",
                        "event": made["duplicate"] == true ? "NONE" : "ADD",
                    ]
                })
        ]
    }

    /// The memories that answer a question.
    func search() async throws -> JSONValue {
        let fields = request.fields
        let scope = try Mem0Scope(fields)
        var arguments = scope.arguments
        arguments["query"] = .string(try Mem0Fields.query.require(fields))
        let limit = try Mem0Fields.topK.read(fields) ?? Mem0Fields.limit.read(fields) ?? 10
        // What metadata leaves out makes room for others.
        arguments["limit"] = .number(Double(scope.metadata.isEmpty ? limit : 1000))
        let threshold = try Mem0Fields.threshold.read(fields) ?? -.infinity
        let found = try await run(RecallOperation.self, arguments)["memories"]?.array ?? []
        let fitting = found.filter { item in
            Self.fits(item["memory"] ?? .null, scope) && item["score"]?.double ?? 0 >= threshold
        }
        return [
            "results": .array(
                fitting.prefix(limit).map {
                    Mem0Memory.json($0["memory"] ?? .null, score: $0["score"])
                })
        ]
    }

    /// A page of memories, the newest first.
    func list() async throws -> JSONValue {
        let fields = request.fields
        let page = try Mem0Fields.page.read(fields) ?? 1
        let size = try Mem0Fields.pageSize.read(fields) ?? 100
        let all = try await memories(try Mem0Scope(fields))
        let start = min(all.count, (page - 1) * size)
        let end = min(all.count, start + size)
        return [
            "count": .number(Double(all.count)),
            "next": end < all.count ? .string("?page=\(page + 1)&page_size=\(size)") : .null,
            "previous": page > 1 ? .string("?page=\(page - 1)&page_size=\(size)") : .null,
            "results": .array(all[start..<end].map { Mem0Memory.json($0) }),
        ]
    }

    /// Erases the memories of whoever the request names.
    ///
    /// - Throws: `InputError` if it names nobody: that would be all.
    func deleteAll() async throws -> JSONValue {
        let scope = try Mem0Scope(request.fields)
        guard !scope.isEmpty else {
            throw InputError("Name whose memories are erased: user_id, agent_id, app_id or run_id.")
        }
        try await eraseAll(scope)
        return ["message": "Memories deleted successfully!"]
    }

    /// The users who have memories, as far as the caller reaches them.
    func entities() async throws -> JSONValue {
        let principal = request.caller.principal
        let counts = try await memory.run { [store = memory.store] in
            try store.owners().filter {
                principal.reaches($0) && $0.tenant == principal.home.tenant
            }.map { (owner: $0, count: try store.count(owner: $0, limit: 1_000_000)) }
        }
        var results: [JSONValue] = []
        for (owner, count) in counts where count > 0 {
            results.append([
                "id": .string(owner.user), "name": .string(owner.user), "type": "user",
                "total_memories": .number(Double(count)),
            ])
        }
        return [
            "count": .number(Double(results.count)), "next": .null, "previous": .null,
            "results": .array(results),
        ]
    }

    /// Erases the memories of the entity that the path names.
    func deleteEntity() async throws -> JSONValue {
        try await eraseAll(
            try Mem0Scope(type: try request.part("type"), name: try request.part("name")))
        return ["message": "Entity deleted successfully!"]
    }

    // MARK: One memory

    /// One memory.
    func get() async throws -> JSONValue {
        let output = try await run(GetOperation.self, try await named(try request.part("id")))
        return Mem0Memory.json(output["memory"] ?? .null)
    }

    /// Changes a memory, and answers with it.
    func update() async throws -> JSONValue {
        Mem0Memory.json(try await update(try request.part("id"), request.fields))
    }

    /// Erases a memory for good.
    func delete() async throws -> JSONValue {
        _ = try await run(EraseOperation.self, try await named(try request.part("id")))
        return ["message": "Memory deleted successfully!"]
    }

    /// Each version of a memory with the text before it.
    func history() async throws -> JSONValue {
        let output = try await run(HistoryOperation.self, try await named(try request.part("id")))
        var before: JSONValue?
        return .array(
            (output["history"]?.array ?? []).map { entry in
                defer { before = entry["snapshot"]?["text"] ?? before }
                return Mem0Memory.change(entry, before: before)
            })
    }

    // MARK: Batches

    /// Changes several memories.
    func updateBatch() async throws -> JSONValue {
        let changes = try Mem0Fields.batch.require(request.fields)
        for change in changes {
            _ = try await update(try Mem0Fields.memoryID.require(change), change)
        }
        return ["message": .string("Successfully updated \(changes.count) memories")]
    }

    /// Erases several memories. All ids are read before any memory is erased.
    func deleteBatch() async throws -> JSONValue {
        let ids = try Mem0Fields.batch.require(request.fields).map(Mem0Fields.memoryID.require)
        for id in ids { _ = try await run(EraseOperation.self, try await named(id)) }
        return ["message": .string("Successfully deleted \(ids.count) memories")]
    }

    // MARK: Operations

    /// Changes a memory as the members of a body say.
    private func update(_ id: String, _ fields: JSONFields) async throws -> JSONValue {
        var arguments = try await named(id)
        arguments["text"] = try Mem0Fields.text.read(fields).map { .string($0) }
        try readCommonFields(fields, into: &arguments)
        return try await run(UpdateOperation.self, arguments)["memory"] ?? .null
    }

    /// Reads the fields that memories have both when they are made and when they are changed.
    private func readCommonFields(
        _ fields: JSONFields, into arguments: inout [String: JSONValue]
    ) throws {
        arguments["metadata"] = try Mem0Fields.metadata.read(fields).map(Mem0Memory.kept)
        arguments["expires"] = try Mem0Fields.expiration.read(fields).map { .string($0) }
        arguments["time"] = try Mem0Fields.timestamp.read(fields).map {
            .string(Date(timeIntervalSince1970: Double($0)).formatted(.iso8601))
        }
    }

    /// Arguments that name a memory: mem0's clients know its id alone, so its owner is looked up,
    /// as far as the caller reaches that one.
    private func named(_ id: String) async throws -> [String: JSONValue] {
        guard let cube = CubeID(id) else {
            throw InputError("'\(id.prefix(60))' is not a memory's id.")
        }
        let principal = request.caller.principal
        let known = try await memory.run { [store = memory.store] in try store.owner(of: cube) }
        let owner = known.flatMap { principal.reaches($0) ? $0 : nil } ?? principal.home
        return ["id": .string(id), "user": .string(owner.user), "tenant": .string(owner.tenant)]
    }

    /// Erases all memories that a scope means, one by one: what was made of each goes with it.
    private func eraseAll(_ scope: Mem0Scope) async throws {
        let tenant = request.caller.principal.home.tenant
        for memory in try await memories(scope) {
            _ = try await run(
                EraseOperation.self,
                [
                    "id": memory["id"] ?? .null, "user": memory["scope"]?["user"] ?? .null,
                    "tenant": memory["scope"]?["tenant"] ?? .string(tenant),
                ])
        }
    }

    /// All memories in use that a scope means, the newest first.
    private func memories(_ scope: Mem0Scope) async throws -> [JSONValue] {
        var arguments = scope.arguments
        var all: [JSONValue] = []
        arguments["state"] = "activated"
        arguments["limit"] = 1000
        while true {
            let page = try await run(ListOperation.self, arguments)
            all += (page["memories"]?.array ?? []).filter { Self.fits($0, scope) }
            guard let next = page["next"], next != .null else { return all }
            arguments["after"] = next
        }
    }

    /// True if a memory's metadata has what a scope wants of it. Values are compared as JSON.
    private static func fits(_ memory: JSONValue, _ scope: Mem0Scope) -> Bool {
        let metadata = scope.metadata.isEmpty ? .null : Mem0Memory.metadata(memory)
        return scope.metadata.allSatisfy { metadata[$0.key] == $0.value }
    }

    /// Carries out an operation, and reads its answer as JSON.
    private func run(
        _ operation: any Mneme.Operation.Type, _ arguments: [String: JSONValue]
    ) async throws -> JSONValue {
        let caller = request.caller
        let context = OperationContext(
            memory: memory, principal: caller.principal, request: caller.request)
        guard case .value(let value) = try await operation.call(arguments, context, surface: .http)
        else { return .null }
        return try JSONValue(parsing: Array(try OperationTable.encode(value).utf8))
    }
}
