import Foundation
import HTTPTypes
import Hummingbird
import Mneme
import MnemeEngine
import MnemeStore
import NIOCore

/// A route and what answers it.
struct Endpoint: Sendable {
    /// The HTTP method.
    let method: HTTPRequest.Method
    /// The path; `{name}` stands for any one part.
    let path: String
    /// The form of its errors.
    var form = WireForm.openAI
    /// Answers a request; errors are answers, too.
    let respond: @Sendable (Request, ConnectionContext) async -> Response
}

extension MemoryServer {
    /// All routes, behind ``RequestGate``. Where a path with a slash at its end is another API's
    /// than the one without, the router sees one path, and the request's own tells which is meant.
    func router() -> Router<ConnectionContext> {
        let endpoints =
            operationEndpoints() + wireEndpoints() + serverEndpoints() + viewerEndpoints()
        let routes = RouteMap(endpoints.map { ($0.path, $0.method, $0.form) })
        let router = Router(
            context: ConnectionContext.self, options: .autoGenerateHeadEndpoints)
        router.add(
            middleware: RequestGate(
                origins: OriginRule(named: configuration.origins), routes: routes))
        // Hummingbird writes a path's parameter as {id} too; a slash at the end says nothing to it.
        let places = Dictionary(grouping: endpoints) {
            "\($0.method.rawValue) \(RouteMap.withoutEnd($0.path))"
        }
        for (_, group) in places.sorted(by: { $0.key < $1.key }) {
            router.on(RouterPath(group[0].path), method: group[0].method) { request, context in
                let endpoint = group.first {
                    $0.path.hasSuffix("/") == request.uri.path.hasSuffix("/")
                }
                return await (endpoint ?? group[0]).respond(request, context)
            }
        }
        return router
    }

    /// Routes of the operation table; see ``Mneme/OperationTable``.
    private func operationEndpoints() -> [Endpoint] {
        OperationTable.all.compactMap { operation in
            guard let route = operation.route, operation.surfaces.contains(.http) else {
                return nil
            }
            let method = HTTPRequest.Method(route.method.rawValue) ?? .get
            return Endpoint(method: method, path: route.path) { request, context in
                await answer(request, operation.name) { caller in
                    try await run(operation, route, request, context, caller)
                }
            }
        }
    }

    /// The routes of all APIs that other programs speak, and those about the server itself.
    private func wireEndpoints() -> [Endpoint] {
        let groups = [
            openAIEndpoints(), responsesEndpoints(), anthropicEndpoints(), ollamaEndpoints(),
            mem0Endpoints(), statusEndpoints(),
        ]
        return groups.flatMap(\.self)
    }

    /// A route of another API, behind the permission that it needs.
    func endpoint(
        _ route: WireRoute,
        respond: @escaping @Sendable (WireRequest) async throws -> Response
    ) -> Endpoint {
        Endpoint(method: route.method, path: route.path, form: route.form) { request, context in
            await answer(request, route.operation, route.form) { caller in
                if let permission = route.permission {
                    try memory.authorize(permission, by: caller)
                }
                let request = try WireRequest(
                    caller, body: try await body(request), query: request.uri.query,
                    parameters: context.parameters)
                guard route.isComputed else { return try await respond(request) }
                return context.endingWithClient(
                    try await context.whileConnected { try await respond(request) })
            }
        }
    }

    /// The language model that a request is for, with the adapter that it names: in `adapter`, or
    /// behind the model's name, as in `smollm2:work-notes`.
    ///
    /// - Throws: ``UnknownModel`` if it names another model than the one that is served,
    ///   `InputError` if it names two adapters.
    func language(for request: WireRequest) throws -> ServedLanguage {
        let name = try GenerationFields.model.read(request.fields)
        guard var language else { throw UnknownModel(name: name ?? "", known: nil) }
        let named = try name.flatMap(models.adapter)
        let adapter = try GenerationFields.adapter.read(request.fields)
        guard named == nil || adapter == nil || named == adapter else {
            throw InputError("'model' and 'adapter' name two adapters. Leave one out.")
        }
        language.adapter = named ?? adapter
        return language
    }

    /// Endpoints about the server itself, and MCP.
    private func serverEndpoints() -> [Endpoint] {
        [
            Endpoint(method: .get, path: "/healthz") { request, _ in
                await published(request, "health") {
                    ["status": "ok", "version": .string(configuration.version)]
                }
            },
            Endpoint(method: .get, path: "/openapi.json") { request, _ in
                await published(request, "openapi") {
                    OpenAPI.document(version: configuration.version)
                }
            },
            Endpoint(method: .get, path: "/metrics") { request, _ in
                await answer(request, "metrics") { caller in
                    let text = metrics.text(
                        CollectedMetrics.of(
                            try await memory.statistics(by: caller), try await memory.jobCounts())
                            + (language.map { CollectedMetrics.of($0.engine.statistics) } ?? [])
                            + ProcessMetrics.all(version: configuration.version))
                    return Response(
                        status: .ok,
                        headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                        body: .init(byteBuffer: ByteBuffer(string: text)))
                }
            },
            Endpoint(method: .post, path: "/mcp") { request, _ in
                await answer(request, "mcp") { caller in
                    try await MCPEndpoint(
                        memory: memory, version: configuration.version, logger: logger,
                        base: base(of: request)
                    ).answer(request, try await body(request), by: caller)
                }
            },
        ] + resourceEndpoints()
    }

    /// The routes by which clients learn who issues the tokens that are taken here.
    private func resourceEndpoints() -> [Endpoint] {
        guard let resource = configuration.tokens?.resource else { return [] }
        return ProtectedResource.paths.map { path in
            Endpoint(method: .get, path: path) { request, _ in
                await published(request, "resource") {
                    resource.metadata(base: base(of: request), path: path)
                }
            }
        }
    }

    /// The scheme and host that a client calls this server by.
    func base(of request: Request) -> String {
        ProtectedResource.base(of: request, isSecure: configuration.certificate != nil)
    }

    /// An answer that anybody may read, without a key.
    private func published(
        _ request: Request, _ operation: String, _ value: () throws -> JSONValue
    ) async -> Response {
        do { return try .json(value()) } catch {
            return .refusal(
                ClientError(error, log: logger, operation: operation, request: nil), .openAI)
        }
    }
}
