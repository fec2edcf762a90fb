import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import Logging
public import Mneme
import MnemeBase
import MnemeChat
public import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeStore
import NIOCore
import NIOSSL
import Tracing

/// Settings of a ``MemoryServer``.
public struct ServerConfiguration: Sendable {
    /// Address to listen on.
    public var host = "127.0.0.1"
    /// 0 lets the system choose.
    public var port = 8420
    /// Keys; without any, only callers on this machine are served, with all permissions.
    public var keys: KeyFile?
    /// Takes tokens of an identity provider besides keys.
    public var tokens: TokenVerifier?
    /// PEM files of a certificate, with those that lead to it, and of its private key: requests
    /// come over TLS then.
    public var certificate: (chain: String, privateKey: String)?
    /// The largest request body, in bytes.
    public var maximumBody = 16 << 20
    /// Requests a minute for each key; 0 sets no limit.
    public var requestsPerMinute = 6000
    /// The program's version, told to clients.
    public var version = "0"
    /// Pages besides those of this machine that browsers may use the server for, such as
    /// `https://chat.example.org`.
    public var origins: Set<String> = []
    /// What requests may call the language model besides its own name.
    public var modelAlias: String?
    /// What a connection may cost.
    public var connections = ConnectionLimits()

    /// The defaults: loopback, no keys.
    public init() {}

    /// Whether `host` is reachable from this machine only.
    public var isLoopback: Bool { HostName.isLocal(host) }
    /// Whether a caller can be let in: a key that is not revoked, or an issuer of tokens.
    public var hasKeys: Bool {
        tokens != nil || keys?.keys.contains { $0.revoked == nil } ?? false
    }
    /// Whether callers must show a key or token. Revoking the last key closes the server, it never
    /// opens it; an address that others can reach is always closed.
    public var requiresKey: Bool {
        tokens != nil || keys?.keys.isEmpty == false || !isLoopback
    }
}

/// Mneme over HTTP: the operation table, OpenAI-compatible embeddings, MCP, health and metrics.
public struct MemoryServer: Sendable {
    let memory: MemoryOS
    private let language: ServedLanguage?
    private let models: ServedModels
    let configuration: ServerConfiguration
    private let metrics = ServerMetrics()
    private let limiter: RateLimiter
    private let logger: Logger

    /// - Parameters:
    ///   - language: a model and the engine that runs it, for the chat and completions endpoints;
    ///     the caller closes the engine.
    /// - Throws: `InputError` if the address is open to others and there is no key.
    public init(
        memory: MemoryOS, language: (model: LanguageModel, engine: Engine)? = nil,
        configuration: ServerConfiguration,
        logger: Logger = Logger(label: "mneme.server")
    ) throws {
        if !configuration.isLoopback, !configuration.hasKeys {
            throw InputError(
                "Listening on \(configuration.host) needs a key, for others can reach it. Make one: mneme keys create NAME"
            )
        }
        self.memory = memory
        models = ServedModels(
            language: language?.model.name, alias: configuration.modelAlias,
            embedder: memory.embedder?.identifier)
        self.language = language.map {
            ServedLanguage(model: $0.model, engine: $0.engine, logger: logger)
        }
        if let language { memory.attach(EngineMemory(language.engine)) }
        self.configuration = configuration
        self.logger = logger
        limiter = RateLimiter(perMinute: configuration.requestsPerMinute)
    }

    /// Serves until the process is told to stop, then ends running requests.
    ///
    /// - Parameter onReady: called with the port that is listened on.
    public func run(onReady: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
        let application = Application(
            router: router(), server: try transport(),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: "mneme"),
            onServerRunning: { onReady($0.localAddress?.port ?? 0) }, logger: logger)
        try await application.runService()
    }

    /// - Throws: `InputError` if the certificate or its key cannot be read.
    private func transport() throws -> HTTPServerBuilder {
        let limits = configuration.connections, counts = ConnectionCounts()
        let plain = HTTPServerBuilder.http1(
            configuration: .init(
                additionalChannelHandlers: [ConnectionLimiter(limits: limits, counts: counts)],
                idleTimeout: TimeAmount(limits.idle)))
        guard let certificate = configuration.certificate else { return plain }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate.chain).map {
                NIOSSLCertificateSource.certificate($0)
            }
            var settings = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain,
                privateKey: .privateKey(
                    try NIOSSLPrivateKey(file: certificate.privateKey, format: .pem)))
            settings.minimumTLSVersion = .tlsv12
            return try .tls(plain, tlsConfiguration: settings)
        } catch {
            throw InputError(
                "The certificate \(certificate.chain) and its key \(certificate.privateKey) cannot be used: \(error)"
            )
        }
    }

    // MARK: Routes

    private struct Endpoint {
        let method: HTTPRequest.Method
        let path: String
        let respond: @Sendable (Request, BasicRequestContext) async -> Response
    }

    private func router() -> Router<BasicRequestContext> {
        let endpoints = operationEndpoints() + modelEndpoints() + serverEndpoints()
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(
            middleware: RequestGate(
                origins: OriginRule(named: configuration.origins),
                routes: RouteMap(endpoints.map { ($0.path, $0.method) })))
        // Hummingbird writes a path's parameter as {id} too.
        for endpoint in endpoints {
            router.on(RouterPath(endpoint.path), method: endpoint.method, use: endpoint.respond)
        }
        return router
    }

    private func operationEndpoints() -> [Endpoint] {
        OperationTable.all.compactMap { operation in
            guard let route = operation.route, operation.surfaces.contains(.http) else {
                return nil
            }
            return Endpoint(method: Self.method(route), path: route.path) { request, context in
                await answer(request, operation.name) { caller in
                    try await run(operation, route, request, context, caller)
                }
            }
        }
    }

    private static func method(_ route: Route) -> HTTPRequest.Method {
        switch route.method {
        case .get: .get
        case .post: .post
        case .patch: .patch
        case .delete: .delete
        }
    }

    private func modelEndpoints() -> [Endpoint] {
        [
            endpoint(.chat) { request, _, caller in
                let (language, fields, body) = try await languageRequest(request)
                return try await ChatEndpoint(language: language, memory: memory)
                    .answer(ChatCall(fields, body: body), caller)
            },
            endpoint(.completions) { request, _, caller in
                let (language, fields, body) = try await languageRequest(request)
                return try await CompletionsEndpoint(language: language)
                    .answer(CompletionCall(fields, body: body), caller)
            },
            endpoint(.embeddings) { request, _, _ in
                try await EmbeddingsEndpoint.answer(
                    JSONFields(try await object(request)), memory: memory)
            },
            endpoint(.models) { _, _, _ in Self.json(.ok, models.list) },
            endpoint(.model) { _, context, _ in
                let name = context.parameters.get("id") ?? ""
                return Self.json(.ok, try models.entry(name.removingPercentEncoding ?? name))
            },
        ]
    }

    /// A route of OpenAI's API, behind the permission that it needs.
    private func endpoint(
        _ route: ModelRoute,
        respond: @escaping @Sendable (Request, BasicRequestContext, Caller) async throws -> Response
    ) -> Endpoint {
        Endpoint(method: Self.method(route.route), path: route.route.path) { request, context in
            await answer(request, route.operation) { caller in
                if let permission = route.permission {
                    try memory.authorize(permission, by: caller)
                }
                return try await respond(request, context, caller)
            }
        }
    }

    /// The language model that a request is for, the request's fields, and the text that they were
    /// read from.
    ///
    /// - Throws: ``UnknownModel`` if it names another model than the one that is served.
    private func languageRequest(
        _ request: Request
    ) async throws -> (language: ServedLanguage, fields: JSONFields, body: String) {
        let bytes = try await body(request), fields = JSONFields(try object(bytes))
        let name = try GenerationFields.model.read(fields)
        guard let language else { throw UnknownModel(name: name ?? "", known: nil) }
        if let name { try models.requireLanguage(name) }
        return (language, fields, String(decoding: bytes, as: UTF8.self))
    }

    private func serverEndpoints() -> [Endpoint] {
        [
            Endpoint(method: .get, path: "/healthz") { _, _ in
                Self.json(.ok, ["status": "ok", "version": .string(configuration.version)])
            },
            Endpoint(method: .get, path: "/openapi.json") { _, _ in
                Self.json(.ok, OpenAPI.document(version: configuration.version))
            },
            Endpoint(method: .get, path: "/metrics") { request, _ in
                await answer(request, "metrics") { caller in
                    let text = metrics.text(
                        gauges: Self.gauges(
                            try await memory.statistics(by: caller), try await memory.jobCounts())
                            + (language.map { Self.gauges($0.engine.statistics) } ?? []))
                    return Response(
                        status: .ok,
                        headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                        body: .init(byteBuffer: ByteBuffer(string: text)))
                }
            },
            // This server sends nothing on its own, so there is no stream to open (GET) and no
            // session to end (DELETE).
            Endpoint(method: .post, path: "/mcp") { request, _ in
                await answer(request, "mcp") { caller in
                    let session = MCPSession(
                        memory: memory, principal: caller.principal, request: caller.request,
                        version: configuration.version, logger: logger)
                    guard let reply = await session.answer(try await body(request)) else {
                        return Response(status: .accepted)
                    }
                    return Self.text(.ok, reply)
                }
            },
        ]
    }

    /// Identifies the caller, applies the limits, counts, and turns errors into answers.
    private func answer(
        _ request: Request, _ operation: String, _ body: (Caller) async throws -> Response
    ) async
        -> Response
    {
        var context = InstrumentationContext.topLevel
        InstrumentationSystem.instrument.extract(
            request.headers, into: &context, using: HeaderExtractor())
        return await withSpan(
            "\(request.method.rawValue) \(operation)", context: context, ofKind: .server
        ) { span in
            let response = await answerRequest(request, operation, body)
            span.updateAttributes {
                $0["http.request.method"] = request.method.rawValue
                $0["http.response.status_code"] = Int(response.status.code)
                $0["mneme.operation"] = operation
                $0["mneme.request"] = response.headers[.requestID]
            }
            if response.status.code >= 500 { span.setStatus(SpanStatus(code: .error)) }
            return response
        }
    }

    private func answerRequest(
        _ request: Request, _ operation: String, _ body: (Caller) async throws -> Response
    ) async
        -> Response
    {
        let clock = ContinuousClock(), start = clock.now, id = Self.requestID(request)
        var response: Response
        do {
            let (principal, perMinute) = try await identify(request)
            if let wait = limiter.wait(for: principal.name, own: perMinute) {
                throw ClientError(
                    .busy, code: "rate_limited", retryAfter: wait,
                    "Too many requests. Try again in \(Int(wait.rounded(.up))) s.")
            }
            response = try await body(Caller(principal, operation: operation, request: id))
        } catch {
            let failure = ClientError(error, log: logger, operation: operation, request: id)
            response = Self.json(HTTPResponse.Status(code: failure.status), failure.json)
            if let wait = failure.retryAfter {
                response.headers[.retryAfter] = String(Int(wait.rounded(.up)))
            }
            if failure.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
        }
        response.headers[.requestID] = id
        metrics.record(
            operation: operation, status: Int(response.status.code),
            seconds: (clock.now - start) / .seconds(1))
        return response
    }

    /// What the client calls its request, or a name of our own: it stands in the answer, the
    /// server's log and the audit log.
    private static func requestID(_ request: Request) -> String {
        if let given = request.headers[.requestID], (1...128).contains(given.utf8.count),
            given.utf8.allSatisfy({ (33...126).contains($0) })
        {
            return given
        }
        return UUID().uuidString.lowercased()
    }

    private func identify(_ request: Request) async throws -> (
        principal: Principal, requestsPerMinute: Int?
    ) {
        let keys = configuration.keys
        guard configuration.requiresKey else {
            // Without keys only names of this machine are answered: a rebound name comes without an
            // origin on GET.
            if let authority = request.head.authority {
                let host = HostName.of(authority: authority)
                guard let host, HostName.isLocal(host) || host == configuration.host.lowercased()
                else {
                    throw ClientError(
                        .forbidden,
                        "Requests for the host \(authority.prefix(100)) are not served without a key."
                    )
                }
            }
            return (.local, nil)
        }
        if let header = request.headers[.authorization], header.lowercased().hasPrefix("bearer ") {
            let secret = header.dropFirst(7).trimmingCharacters(in: .whitespaces)
            if let key = keys?.find(secret: secret) {
                return (key.principal, key.requestsPerMinute)
            }
            if let principal = await configuration.tokens?.principal(secret) {
                return (principal, nil)
            }
        }
        throw ClientError(
            .unauthenticated,
            "A valid key \(configuration.tokens == nil ? "" : "or token ")is needed: Authorization: Bearer …"
        )
    }

    private func run(
        _ operation: any Mneme.Operation.Type, _ route: Route, _ request: Request,
        _ context: BasicRequestContext,
        _ caller: Caller
    ) async throws -> Response {
        var arguments: [String: JSONValue] = [:]
        if route.method == .get || route.method == .delete {
            for (name, value) in try QueryString.items(request.uri.query ?? "") {
                guard let given = arguments[name] else {
                    arguments[name] = .string(value)
                    continue
                }
                guard operation.parameters.contains(where: { $0.name == name && $0.isList }) else {
                    throw InputError("'\(name.prefix(60))' stands in the query twice.")
                }
                arguments[name] = .array((given.array ?? [given]) + [.string(value)])
            }
        } else {
            arguments = try await object(request)
        }
        for (name, value) in context.parameters {
            guard arguments[String(name)] == nil else {
                throw InputError("'\(name)' stands in the path and again in the request.")
            }
            arguments[String(name)] = .string(
                String(value).removingPercentEncoding ?? String(value))
        }
        if let key = request.headers[.idempotencyKey],
            operation.parameters.contains(where: { $0.name == "idempotency_key" })
        {
            arguments["idempotency_key"] = .string(key)
        }
        switch try await operation.call(
            arguments,
            OperationContext(memory: memory, principal: caller.principal, request: caller.request),
            surface: .http)
        {
        case .value(let value):
            return Self.text(.ok, try OperationTable.encode(value))
        case .lines(let lines):
            return Response(
                status: .ok, headers: [.contentType: "application/x-ndjson"],
                body: ResponseBody { writer in
                    do {
                        for try await line in lines {
                            try await writer.write(ByteBuffer(string: line + "\n"))
                        }
                    } catch {
                        _ = ClientError(
                            error, log: logger, operation: caller.operation, request: caller.request
                        )
                        throw error
                    }
                    try await writer.finish(nil)
                })
        }
    }

    private func body(_ request: Request) async throws -> [UInt8] {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }),
            length > configuration.maximumBody
        {
            throw tooLarge
        }
        do {
            let buffer = try await request.body.collect(upTo: configuration.maximumBody)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError { throw tooLarge }
    }

    private var tooLarge: ClientError {
        ClientError(.tooLarge, "The request is larger than \(configuration.maximumBody) bytes.")
    }

    private func object(_ request: Request) async throws -> [String: JSONValue] {
        try object(try await body(request))
    }

    private func object(_ bytes: [UInt8]) throws -> [String: JSONValue] {
        if bytes.isEmpty { return [:] }
        guard let object = try JSONValue(parsing: bytes).object else {
            throw InputError("The request's body must be a JSON object.")
        }
        return object
    }

    private static func gauges(_ store: StoreStatistics, _ jobs: [Job.State: Int]) -> [(
        name: String, help: String, value: Double
    )] {
        [
            ("mneme_memories", "Memories in the store.", Double(store.memories)),
            (
                "mneme_pending_embeddings", "Memories without a vector yet.",
                Double(store.pendingEmbeddings)
            ),
            ("mneme_store_bytes", "Bytes of the store on disk.", Double(store.bytesOnDisk)),
            ("mneme_jobs_waiting", "Jobs that wait.", Double(jobs[.waiting] ?? 0)),
            ("mneme_jobs_running", "Jobs that are being done.", Double(jobs[.running] ?? 0)),
            (
                "mneme_jobs_dead", "Jobs that failed for good and want a look.",
                Double(jobs[.dead] ?? 0)
            ),
        ]
    }

    private static func gauges(_ engine: EngineStatistics) -> [(
        name: String, help: String, value: Double
    )] {
        [
            (
                "mneme_llm_waiting", "Requests that wait for the language model.",
                Double(engine.waiting)
            ),
            (
                "mneme_llm_running", "Requests that the language model answers.",
                Double(engine.running)
            ),
            (
                "mneme_llm_preempted", "Sequences put back as others needed their memory.",
                Double(engine.preempted)
            ),
            ("mneme_kv_bytes", "Bytes of keys and values in memory.", Double(engine.kv.bytes)),
            (
                "mneme_kv_idle_bytes", "Bytes of those that nobody reads now.",
                Double(engine.kv.idleBytes)
            ),
            (
                "mneme_kv_limit_bytes", "The most bytes of keys and values in memory.",
                Double(engine.kv.limit)
            ),
            ("mneme_kv_tokens", "Tokens that requests asked for.", Double(engine.kv.tokens)),
            (
                "mneme_kv_memory_tokens", "Tokens whose keys and values were found in memory.",
                Double(engine.kv.tokensFromMemory)
            ),
            (
                "mneme_kv_remote_tokens",
                "Tokens whose keys and values were found on the remote server.",
                Double(engine.kv.tokensFromFar)
            ),
            (
                "mneme_kv_unsent_blocks", "Blocks that could not be sent to the remote server.",
                Double(engine.kv.unsent)
            ),
            (
                "mneme_kv_disk_tokens", "Tokens whose keys and values were found on disk.",
                Double(engine.kv.tokensFromDisk)
            ),
            ("mneme_kv_evicted_blocks", "Blocks given up for others.", Double(engine.kv.evicted)),
            ("mneme_kv_written_blocks", "Blocks written to disk.", Double(engine.kv.written)),
            (
                "mneme_kv_unwritten_blocks", "Blocks that could not be written.",
                Double(engine.kv.unwritten)
            ),
            (
                "mneme_kv_refused_blocks", "Blocks on disk that were damaged or foreign.",
                Double(engine.kv.refused)
            ),
            (
                "mneme_llm_prompt_tokens", "Tokens of prompts computed so far.",
                Double(engine.promptTokens)
            ),
            (
                "mneme_llm_answer_tokens", "Tokens of answers written so far.",
                Double(engine.answerTokens)
            ),
            (
                "mneme_llm_first_token_seconds", "Mean time to the first token.",
                engine.firstTokenSeconds / Double(max(1, engine.firstTokens))
            ),
            (
                "mneme_llm_between_tokens_seconds", "Mean time between tokens.",
                engine.betweenTokensSeconds / Double(max(1, engine.furtherTokens))
            ),
        ]
    }

    static func json(_ status: HTTPResponse.Status, _ value: JSONValue) -> Response {
        text(status, (try? OperationTable.encode(value)) ?? "{}")
    }

    /// An answer whose body is JSON already.
    private static func text(_ status: HTTPResponse.Status, _ json: String) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: json)))
    }
}

extension HTTPField.Name {
    fileprivate static let idempotencyKey = Self("Idempotency-Key")!
}

/// Finds what an instrument looks for in a request's headers.
private struct HeaderExtractor: Extractor {
    func extract(key: String, from headers: HTTPFields) -> String? {
        HTTPField.Name(key).flatMap { headers[$0] }
    }
}

extension HTTPField.Name {
    static let requestID = HTTPField.Name("X-Request-ID")!
}
