import Foundation
import HTTPTypes
import Hummingbird
public import Logging
import Mneme
import MnemeBase
public import MnemeCache
import MnemeHub
import NIOCore

/// An OpenAI-compatible endpoint that answers from a cache what it can, and sends the rest on.
///
/// It needs no memory store and no model of its own, and stands before `mneme serve` as before any
/// other server. Requests are told apart by key before anything is looked up.
///
/// Chat completions go through the cache, whole and streamed; every other route below `/v1` is
/// passed through. Answers are never shared between keys, nor between the users that one key names.
public struct ProxyServer: Sendable {
    /// What is answered otherwise than by the cache.
    public struct Options: Sendable {
        /// The highest temperature whose answers are kept.
        public var maximumTemperature = 0.0
        /// A smaller model of the upstream, which is asked with kept answers as examples, and first
        /// where ``confidence`` is set.
        public var smallModel: String?
        /// The mean probability of the small model's tokens from which its answer is taken; below,
        /// the model that was asked for answers.
        public var confidence: Double?
        /// Says of each question whether the small model is asked; nil asks it for examples and a cascade alone.
        public var router: (any ModelRouter)?
        /// The share from which it is: how likely the router takes the small model's answer to be good.
        public var threshold = 0.5

        /// Neither examples nor a cascade nor a router.
        public init() {}
    }

    let cache: AnswerCache
    let upstream: Upstream
    let options: Options
    let configuration: ServerConfiguration
    let logger: Logger
    let flights = SingleFlight()
    /// The cache blocks: questions wait for it here, without a thread.
    let queue = WorkQueue(label: "mneme.cache", width: 2)
    private let limiter: RateLimiter

    /// A proxy that is ready to run; nothing is listened on yet.
    ///
    /// - Throws: `InputError` if the address is open to others and there is no key, or the options
    ///   contradict each other.
    public init(
        cache: AnswerCache, upstream: Upstream, options: Options = Options(),
        configuration: ServerConfiguration, logger: Logger = Logger(label: "mneme.proxy")
    ) throws {
        if !configuration.isLoopback, !configuration.hasKeys {
            throw InputError(
                "Listening on \(configuration.host) needs a key, for others can reach it. Make one: mneme keys create NAME"
            )
        }
        guard options.confidence == nil || options.smallModel != nil else {
            throw InputError("A confidence goes with a small model.")
        }
        guard options.router == nil || options.smallModel != nil else {
            throw InputError("A router goes with a small model.")
        }
        guard (0...1).contains(options.confidence ?? 0), (0...1).contains(options.threshold),
            options.maximumTemperature >= 0
        else {
            throw InputError("A confidence and a threshold lie between 0 and 1, and a temperature is at least 0.")
        }
        (self.cache, self.upstream, self.options) = (cache, upstream, options)
        (self.configuration, self.logger) = (configuration, logger)
        limiter = RateLimiter(perMinute: configuration.requestsPerMinute)
    }

    /// Serves until the process is told to stop.
    ///
    /// - Parameter onReady: called with the port that is listened on.
    public func run(onReady: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
        let router = Router(context: ConnectionContext.self, options: .autoGenerateHeadEndpoints)
        for method in [HTTPRequest.Method.get, .post, .put, .patch, .delete] {
            router.on("**", method: method) { request, context in
                await respond(to: request, context)
            }
        }
        let application = Application(
            router: router, server: try configuration.transport(),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port), serverName: "mneme"),
            onServerRunning: { onReady($0.localAddress?.port ?? 0) }, logger: logger)
        try await application.runService()
    }

    /// Answers a request; errors are answers, too.
    private func respond(to request: Request, _ context: ConnectionContext) async -> Response {
        do {
            let origin = request.headers[.origin]
            if let origin,
                !OriginRule(named: configuration.origins).allows(origin, host: request.head.authority)
            {
                throw ClientError(.forbidden, "Requests from the page \(origin.prefix(100)) are not served.")
            }
            if request.uri.path == "/health" {
                return .json(text: #"{"status":"ok","version":"\#(configuration.version)"}"#)
            }
            let caller = try await configuration.identify(request)
            if let wait = limiter.wait(for: caller.principal.name, own: caller.requestsPerMinute) {
                throw ClientError(
                    .busy, code: "rate_limited", retryAfter: wait,
                    "Too many requests. Try again in \(Int(wait.rounded(.up))) s.")
            }
            return try await route(request, context, scope(of: caller, request))
        } catch {
            let failure = ClientError(error, log: logger, operation: "proxy", request: nil)
            var response = Response.refusal(failure, .openAI)
            if let wait = failure.retryAfter { response.headers[.retryAfter] = String(Int(wait.rounded(.up))) }
            if failure.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
            return response
        }
    }

    /// Whose answers a caller reaches: those of its own key. Where no key is needed, callers that
    /// show different ones are told apart all the same.
    private func scope(of caller: IdentifiedCaller, _ request: Request) -> CacheKey.Scope {
        let principal = caller.principal
        return CacheKey.Scope(
            name: principal.name,
            parts: [
                principal.name, principal.tenant ?? "", principal.user ?? "", principal.agent ?? "",
                caller.keyID ?? "", configuration.requiresKey ? "" : ServerConfiguration.secret(of: request) ?? "",
                upstream.base.absoluteString,
            ])
    }

    /// Sends a request to the cache or through.
    private func route(_ request: Request, _ context: ConnectionContext, _ scope: CacheKey.Scope) async throws
        -> Response
    {
        guard request.uri.path.hasPrefix("/v1/") else {
            throw ClientError(
                .notFound,
                "There is no \(request.uri.path.prefix(100)) here: the upstream's routes are below /v1.")
        }
        let path = String(request.uri.description.dropFirst("/v1".count))
        let body = try await body(of: request)
        if request.method == .post, request.uri.path == "/v1/chat/completions" {
            return try await ProxiedChat(
                proxy: self, request: request, context: context, scope: scope, path: path, body: body
            ).answer()
        }
        return try await passed(request, context, path: path, body: body)
    }

    /// The upstream's answer as it comes; it is not asked any longer when the client goes away.
    func passed(_ request: Request, _ context: ConnectionContext, path: String, body: Data) async throws
        -> Response
    {
        let call = try upstream.call(request, path: path, body: body)
        let opened = try await context.whileConnected { try await upstream.open(call) }
        let response = Response(
            status: HTTPResponse.Status(code: opened.answer.status),
            headers: Upstream.headers(of: opened.answer),
            body: ResponseBody { writer in
                nonisolated(unsafe) var output = writer
                for try await piece in opened.answer.body { try await output.write(ByteBuffer(bytes: piece)) }
                withExtendedLifetime(opened.place) {}
                try await output.finish(nil)
            })
        return context.endingWithClient(response)
    }

    /// The whole body of a request.
    private func body(of request: Request) async throws -> Data {
        let most = configuration.maximumBody
        let tooLarge = ClientError(.tooLarge, "The request is larger than \(most) bytes.")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > most { throw tooLarge }
        do {
            return Data(try await request.body.collect(upTo: most).readableBytesView)
        } catch is NIOTooManyBytesError { throw tooLarge }
    }
}
