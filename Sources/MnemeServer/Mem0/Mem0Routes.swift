import HTTPTypes
import Hummingbird
import Mneme
import MnemeStore

extension WireRoute {
    /// A route of mem0's API.
    private static func route(
        _ method: HTTPRequest.Method, _ path: String, _ name: String, as operation: String,
        _ summary: String, _ permission: Permission?, _ fields: [any AnyRequestField] = []
    ) -> WireRoute {
        WireRoute(
            method, path, .mem0, "mem0_" + name, operation: operation,
            summary + " (mem0-compatible).", permission: permission, fields: fields)
    }

    /// The routes of mem0's client. Their paths end in a slash, which tells them from Mneme's own.
    static let mem0Ping = route(
        .get, "/v1/ping/", "ping", as: "ping", "Whether the key is good", nil)
    /// Remembering: of the first and the present version of the client, and of the self-hosted
    /// server.
    static let mem0Add = [
        route(
            .post, "/v1/memories/", "add_v1", as: "remember", "Remember messages", .write,
            Mem0Fields.add),
        route(
            .post, "/v3/memories/add/", "add", as: "remember", "Remember messages", .write,
            Mem0Fields.add),
        route(
            .post, "/memories", "server_add", as: "remember", "Remember messages", .write,
            Mem0Fields.add),
    ]
    /// Searching, in three versions of the client and in the self-hosted server. The first version
    /// answers with a bare list.
    static let mem0Search = [
        route(
            .post, "/v1/memories/search/", "search_v1", as: "recall", "Find memories", .read,
            Mem0Fields.search),
        route(
            .post, "/v2/memories/search/", "search_v2", as: "recall", "Find memories", .read,
            Mem0Fields.search),
        route(
            .post, "/v3/memories/search/", "search", as: "recall", "Find memories", .read,
            Mem0Fields.search),
        route(
            .post, "/search", "server_search", as: "recall", "Find memories", .read,
            Mem0Fields.search),
    ]
    /// Listing, page by page.
    static let mem0List = [
        route(
            .get, "/v1/memories/", "list_v1", as: "list", "List memories", .read, Mem0Fields.list),
        route(
            .post, "/v2/memories/", "list_v2", as: "list", "List memories", .read,
            Mem0Fields.list),
        route(.post, "/v3/memories/", "list", as: "list", "List memories", .read, Mem0Fields.list),
        route(.get, "/memories", "server_list", as: "list", "List memories", .read, Mem0Fields.list),
    ]
    /// Erasing all that a user, agent, app or run has.
    static let mem0DeleteAll = [
        route(
            .delete, "/v1/memories/", "delete_all", as: "erase", "Erase a user's memories", .erase,
            Mem0Fields.scope),
        route(
            .delete, "/memories", "server_delete_all", as: "erase", "Erase a user's memories",
            .erase, Mem0Fields.scope),
    ]
    /// One memory by its id alone: mem0's clients do not say whose it is.
    static let mem0Get = [
        route(.get, "/v1/memories/{id}/", "get", as: "get", "One memory", .read),
        route(.get, "/memories/{id}", "server_get", as: "get", "One memory", .read),
    ]
    /// Changing a memory; the version before stays in its history.
    static let mem0Update = [
        route(
            .put, "/v1/memories/{id}/", "update", as: "update", "Change a memory", .write,
            Mem0Fields.update),
        route(
            .put, "/memories/{id}", "server_update", as: "update", "Change a memory", .write,
            Mem0Fields.update),
    ]
    /// Erasing a memory for good, as mem0 does. To take one out of recall, Mneme's own `DELETE`
    /// forgets it.
    static let mem0Delete = [
        route(.delete, "/v1/memories/{id}/", "delete", as: "erase", "Erase a memory", .erase),
        route(.delete, "/memories/{id}", "server_delete", as: "erase", "Erase a memory", .erase),
    ]
    /// A memory's changes, version by version.
    static let mem0History = [
        route(
            .get, "/v1/memories/{id}/history/", "history", as: "history", "A memory's changes",
            .read),
        route(
            .get, "/memories/{id}/history", "server_history", as: "history",
            "A memory's changes", .read),
    ]
    /// Changing several memories, one after the other: those before a wrong one are changed.
    static let mem0BatchUpdate = route(
        .put, "/v1/batch/", "batch_update", as: "update", "Change several memories", .write,
        [Mem0Fields.batch])
    /// Erasing several memories. The body names them, though the method is `DELETE`.
    static let mem0BatchDelete = route(
        .delete, "/v1/batch/", "batch_delete", as: "erase", "Erase several memories", .erase)
    /// The route that lists entities with memories.
    static let mem0Entities = route(
        .get, "/v1/entities/", "entities", as: "list", "The users who have memories", .read)
    /// Erasing what an entity has.
    static let mem0DeleteEntity = route(
        .delete, "/v2/entities/{type}/{name}/", "delete_entity", as: "erase",
        "Erase the memories of a user, agent, app or run", .erase)

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
