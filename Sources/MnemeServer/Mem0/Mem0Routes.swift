import HTTPTypes
import Hummingbird
import Mneme
import MnemeStore

extension WireRoute {
    /// A route of mem0's API: another form of an operation, whose permission it needs.
    private static func route(
        _ method: HTTPRequest.Method, _ path: String, _ name: String,
        as operation: any Mneme.Operation.Type, _ summary: String,
        _ fields: [any AnyRequestField] = []
    ) -> WireRoute {
        WireRoute(
            method, path, .mem0, "mem0_" + name, operation: operation.name,
            summary + " (mem0-compatible).", permission: operation.permission, fields: fields)
    }

    /// The routes of mem0's client. Their paths end in a slash, which tells them from Mneme's own.
    static let mem0Ping = WireRoute(
        .get, "/v1/ping/", .mem0, "mem0_ping", operation: "ping",
        "Whether the key is good (mem0-compatible).")
    /// Remembering: of the first and the present version of the client, and of the self-hosted
    /// server.
    static let mem0Add = [
        route(
            .post, "/v1/memories/", "add_v1", as: RememberOperation.self, "Remember messages",
            Mem0Fields.add),
        route(
            .post, "/v3/memories/add/", "add", as: RememberOperation.self, "Remember messages",
            Mem0Fields.add),
        route(
            .post, "/memories", "server_add", as: RememberOperation.self, "Remember messages",
            Mem0Fields.add),
    ]
    /// Searching, in three versions of the client and in the self-hosted server. The first version
    /// answers with a bare list.
    static let mem0Search = [
        route(
            .post, "/v1/memories/search/", "search_v1", as: RecallOperation.self, "Find memories",
            Mem0Fields.search),
        route(
            .post, "/v2/memories/search/", "search_v2", as: RecallOperation.self, "Find memories",
            Mem0Fields.search),
        route(
            .post, "/v3/memories/search/", "search", as: RecallOperation.self, "Find memories",
            Mem0Fields.search),
        route(
            .post, "/search", "server_search", as: RecallOperation.self, "Find memories",
            Mem0Fields.search),
    ]
    /// Listing, page by page.
    static let mem0List = [
        route(
            .get, "/v1/memories/", "list_v1", as: ListOperation.self, "List memories", Mem0Fields.list),
        route(
            .post, "/v2/memories/", "list_v2", as: ListOperation.self, "List memories",
            Mem0Fields.list),
        route(.post, "/v3/memories/", "list", as: ListOperation.self, "List memories", Mem0Fields.list),
        route(.get, "/memories", "server_list", as: ListOperation.self, "List memories", Mem0Fields.list),
    ]
    /// Erasing all that a user, agent, app or run has.
    static let mem0DeleteAll = [
        route(
            .delete, "/v1/memories/", "delete_all", as: EraseOperation.self, "Erase a user's memories",
            Mem0Fields.scope),
        route(
            .delete, "/memories", "server_delete_all", as: EraseOperation.self, "Erase a user's memories",
            Mem0Fields.scope),
    ]
    /// One memory by its id alone: mem0's clients do not say whose it is.
    static let mem0Get = [
        route(.get, "/v1/memories/{id}/", "get", as: GetOperation.self, "One memory"),
        route(.get, "/memories/{id}", "server_get", as: GetOperation.self, "One memory"),
    ]
    /// Changing a memory; the version before stays in its history.
    static let mem0Update = [
        route(
            .put, "/v1/memories/{id}/", "update", as: UpdateOperation.self, "Change a memory",
            Mem0Fields.update),
        route(
            .put, "/memories/{id}", "server_update", as: UpdateOperation.self, "Change a memory",
            Mem0Fields.update),
    ]
    /// Erasing a memory for good, as mem0 does. To take one out of recall, Mneme's own `DELETE`
    /// forgets it.
    static let mem0Delete = [
        route(.delete, "/v1/memories/{id}/", "delete", as: EraseOperation.self, "Erase a memory"),
        route(.delete, "/memories/{id}", "server_delete", as: EraseOperation.self, "Erase a memory"),
    ]
    /// A memory's changes, version by version.
    static let mem0History = [
        route(
            .get, "/v1/memories/{id}/history/", "history", as: HistoryOperation.self, "A memory's changes"),
        route(
            .get, "/memories/{id}/history", "server_history", as: HistoryOperation.self,
            "A memory's changes"),
    ]
    /// Changing several memories, one after the other: those before a wrong one are changed.
    static let mem0BatchUpdate = route(
        .put, "/v1/batch/", "batch_update", as: UpdateOperation.self, "Change several memories",
        [Mem0Fields.batch])
    /// Erasing several memories. The body names them, though the method is `DELETE`.
    static let mem0BatchDelete = route(
        .delete, "/v1/batch/", "batch_delete", as: EraseOperation.self, "Erase several memories")
    /// The route that lists entities with memories.
    static let mem0Entities = route(
        .get, "/v1/entities/", "entities", as: ListOperation.self, "The users who have memories")
    /// Erasing what an entity has.
    static let mem0DeleteEntity = route(
        .delete, "/v2/entities/{type}/{name}/", "delete_entity", as: EraseOperation.self,
        "Erase the memories of a user, agent, app or run")

    /// mem0's routes.
    static let mem0 =
        [mem0Ping] + mem0Add + mem0Search + mem0List + mem0DeleteAll + mem0Get + mem0Update
        + mem0Delete + mem0History
        + [mem0BatchUpdate, mem0BatchDelete, mem0Entities, mem0DeleteEntity]
}

extension MemoryServer {
    /// mem0's routes, answered.
    func mem0Endpoints() -> [Endpoint] {
        func each(
            _ routes: [WireRoute],
            _ respond: @escaping @Sendable (Mem0Endpoint, WireRoute) async throws -> JSONValue
        ) -> [Endpoint] {
            routes.map { route in
                endpoint(route) { request in
                    try .json(try await respond(Mem0Endpoint(memory: memory, request: request), route))
                }
            }
        }
        // Its first version answered with bare lists.
        @Sendable func list(_ results: JSONValue, _ route: WireRoute) -> JSONValue {
            route.path.hasPrefix("/v1/") ? results["results"] ?? results : results
        }
        return each([.mem0Ping]) { endpoint, _ in endpoint.ping }
            + each(WireRoute.mem0Add) { endpoint, _ in try await endpoint.add() }
            + each(WireRoute.mem0Search) { list(try await $0.search(), $1) }
            + each(WireRoute.mem0List) { list(try await $0.list(), $1) }
            + each(WireRoute.mem0DeleteAll) { endpoint, _ in try await endpoint.deleteAll() }
            + each(WireRoute.mem0Get) { endpoint, _ in try await endpoint.get() }
            + each(WireRoute.mem0Update) { endpoint, _ in try await endpoint.update() }
            + each(WireRoute.mem0Delete) { endpoint, _ in try await endpoint.delete() }
            + each(WireRoute.mem0History) { endpoint, _ in try await endpoint.history() }
            + each([.mem0BatchUpdate]) { endpoint, _ in try await endpoint.updateBatch() }
            + each([.mem0BatchDelete]) { endpoint, _ in try await endpoint.deleteBatch() }
            + each([.mem0Entities]) { endpoint, _ in try await endpoint.entities() }
            + each([.mem0DeleteEntity]) { endpoint, _ in try await endpoint.deleteEntity() }
    }
}
