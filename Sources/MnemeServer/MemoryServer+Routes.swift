import Foundation
import HTTPTypes
import Hummingbird
import Mneme
import MnemeEngine
import MnemeStore
import NIOCore

/// A route and what answers it.
struct Endpoint: Sendable {
    /// The row of the table.
    let route: ServedRoute
    /// Answers a request; errors are answers, too.
    let respond: @Sendable (Request, ConnectionContext) async -> Response
}

extension MemoryServer {
    /// All routes, behind ``RequestGate``. Where a path with a slash at its end is another API's
    /// than the one without, the router sees one path, and the request's own tells which is meant.
    func router() -> Router<ConnectionContext> {
        let endpoints =
            operationEndpoints() + wireEndpoints() + serverEndpoints() + viewerEndpoints()
        let routes = RouteMap(endpoints.map { ($0.route.path, $0.route.method, $0.route.form) })
        let router = Router(
            context: ConnectionContext.self, options: .autoGenerateHeadEndpoints)
        router.add(
            middleware: RequestGate(
                origins: OriginRule(named: configuration.origins), routes: routes))
        // Hummingbird writes a path's parameter as {id} too; a slash at the end says nothing to it.
        let places = Dictionary(grouping: endpoints) {
            "\($0.route.method.rawValue) \(RouteMap.withoutEnd($0.route.path))"
        }
        for (_, group) in places.sorted(by: { $0.key < $1.key }) {
            let first = group[0].route
            router.on(RouterPath(first.path), method: first.method) { request, context in
                let endpoint = group.first {
                    $0.route.path.hasSuffix("/") == request.uri.path.hasSuffix("/")
                }
                return await (endpoint ?? group[0]).respond(request, context)
            }
        }
        return router
    }

    /// A row of the table, answered: to whom has a key, if its permission allows it. What is
    /// refused is in the audit log.
    private func endpoint(
        _ route: ServedRoute,
        respond: @escaping @Sendable (Request, ConnectionContext, Caller) async throws -> Response
    ) -> Endpoint {
        Endpoint(route: route) { request, context in
            await answer(request, route.operation, route.form) { caller in
                if let permission = route.permission {
                    try memory.authorize(permission, by: caller)
                }
                return try await respond(request, context, caller)
            }
        }
    }

    /// Routes of the operation table; see ``Mneme/OperationTable``.
    private func operationEndpoints() -> [Endpoint] {
        OperationTable.all.compactMap { operation in
            guard let row = ServedRoute(operation), let route = operation.route else { return nil }
            return endpoint(row) { request, context, caller in
                try await run(operation, route, request, context, caller)
            }
        }
    }

    /// The routes of all APIs that other programs speak, and those about the server itself.
    private func wireEndpoints() -> [Endpoint] {
        let groups = [
            openAIEndpoints(), responsesEndpoints(), anthropicEndpoints(), ollamaEndpoints(),
            mem0Endpoints(), statusEndpoints(), peerEndpoints(),
        ]
        return groups.flatMap(\.self)
    }

    /// A route of another API, behind the permission that it needs.
    func endpoint(
        _ route: WireRoute,
        respond: @escaping @Sendable (WireRequest) async throws -> Response
    ) -> Endpoint {
        endpoint(ServedRoute(route)) { request, context, caller in
            let request = try WireRequest(
                caller, body: try await body(request), query: request.uri.query,
                parameters: context.parameters)
            guard route.isComputed else { return try await respond(request) }
            return context.endingWithClient(
                try await context.whileConnected { try await respond(request) })
        }
    }

    /// The language model that a request is for, with the adapter that it names: in `adapter`, or
    /// behind the model's name, as in `smollm2:work-notes`.
    ///
    /// - Throws: ``UnknownModel`` if it names another model than the one that is served,
    ///   `InputError` if it names two adapters, `AdapterError` if the caller may not use the one.
    func language(for request: WireRequest) async throws -> ServedLanguage {
        let name = try GenerationFields.model.read(request.fields)
        guard var language else { throw UnknownModel(name: name ?? "", known: nil) }
        let named = try name.flatMap(models.adapter)
        let adapter = try GenerationFields.adapter.read(request.fields)
        guard named == nil || adapter == nil || named == adapter else {
            throw InputError("'model' and 'adapter' name two adapters. Leave one out.")
        }
        language.adapter = named ?? adapter
        if let name = language.adapter { try await checkAdapter(name, for: request.caller) }
        return language
    }

    /// Endpoints about the server itself, and MCP.
    private func serverEndpoints() -> [Endpoint] {
        [
            published(.health) { _ in
                ["status": "ok", "version": .string(configuration.version)]
            },
            published(.openAPI) { _ in OpenAPI.document(version: configuration.version) },
            endpoint(.metrics) { _, _, caller in
                let text = metrics.text(
                    CollectedMetrics.of(
                        try await memory.statistics(by: caller), try await memory.jobCounts())
                        + (language.map { CollectedMetrics.of($0.engine.statistics) } ?? [])
                        + CollectedMetrics.following(memory)
                        + ProcessMetrics.all(version: configuration.version))
                return Response(
                    status: .ok,
                    headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                    body: .init(byteBuffer: ByteBuffer(string: text)))
            },
            endpoint(.mcp) { request, _, caller in
                try await MCPEndpoint(
                    memory: memory, version: configuration.version, logger: logger,
                    base: base(of: request)
                ).answer(request, try await body(request), by: caller)
            },
        ] + resourceEndpoints()
    }

    /// The routes by which clients learn who issues the tokens that are taken here.
    private func resourceEndpoints() -> [Endpoint] {
        guard let resource = configuration.tokens?.resource else { return [] }
        return ProtectedResource.paths.map { path in
            published(ServedRoute(.get, path, operation: "resource", isPublic: true)) {
                resource.metadata(base: base(of: $0), path: path)
            }
        }
    }

    /// The scheme and host that a client calls this server by.
    func base(of request: Request) -> String {
        ProtectedResource.base(of: request, isSecure: configuration.certificate != nil)
    }

    /// A row whose answer anybody may read, without a key.
    private func published(
        _ route: ServedRoute, _ value: @escaping @Sendable (Request) throws -> JSONValue
    ) -> Endpoint {
        Endpoint(route: route) { request, _ in
            do { return try .json(value(request)) } catch {
                let failure = ClientError(
                    error, log: logger, operation: route.operation, request: nil)
                return .refusal(failure, route.form)
            }
        }
    }
}
