import AsyncHTTPClient
package import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// HTTP calls to other machines: hubs of models, collectors of traces, servers of Mneme and of
/// language models.
///
/// All go through one client, which keeps connections open between calls. It makes no spans: the
/// sending of spans is among its calls. `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the
/// environment are followed, as other programs do.
package enum OutgoingHTTP {
    /// An answer that is there whole.
    package struct Answer: Sendable {
        /// The HTTP status.
        package var status: Int
        package var body: Data
        /// Seconds after which the server wants to be asked again (`Retry-After`), if it says so.
        package var retryAfter: Double? = nil
        /// The mark of the version of what was asked for (`ETag`).
        package var version: String? = nil
    }
    /// A call without an answer: no connection, or it broke off.
    package struct Failure: Error {
        /// The reason, for a message.
        package var reason: String
    }

    /// Sends a request and reads the answer whole; cancelling the task cancels it on the wire.
    /// Redirections are followed, without the credentials to another host.
    ///
    /// - Parameters:
    ///   - seconds: until the answer is there whole.
    ///   - limit: the most bytes of the answer.
    /// - Throws: ``Failure`` if none came, or a longer one.
    package static func send(
        _ method: String, _ url: URL, headers: [String: String] = [:], body: Data? = nil,
        seconds: Int64, limit: Int = 64 << 20
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url.absoluteString)
        request.method = .init(rawValue: method)
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        do {
            let response = try await client(for: url).execute(request, timeout: .seconds(seconds))
            let bytes = try await response.body.collect(upTo: limit)
            return Answer(status: Int(response.status.code), body: Data(bytes.readableBytesView))
        } catch let error where !Task.isCancelled {
            throw Failure(reason: reason(error))
        }
    }

    /// Posts JSON and waits for the answer, on a thread that is none of those that answer requests.
    ///
    /// - Parameters:
    ///   - seconds: until the answer is there whole.
    ///   - limit: the most bytes of the answer.
    /// - Throws: ``Failure`` if none came, or a longer one.
    package static func postAndWait(
        _ json: String, to url: URL, headers: [String: String], seconds: Int64,
        limit: Int = 64 << 20
    ) throws -> Answer {
        var call = Call("POST", url, headers: [("Content-Type", "application/json")], body: Data(json.utf8))
        call.headers += headers.map { (name: $0.key, value: $0.value) }
        return try sendAndWait(call, seconds: seconds, limit: limit)
    }

    /// Sends a request and waits for the answer, on a thread that is none of those that answer
    /// requests.
    ///
    /// - Parameters:
    ///   - seconds: until the answer is there whole.
    ///   - limit: the most bytes of the answer.
    /// - Throws: ``Failure`` if none came, or a longer one.
    package static func sendAndWait(_ call: Call, seconds: Int64, limit: Int = 64 << 20) throws -> Answer {
        do {
            var request = try HTTPClient.Request(url: call.url, method: .init(rawValue: call.method))
            for (name, value) in call.headers { request.headers.replaceOrAdd(name: name, value: value) }
            request.body = call.body.map { .byteBuffer(ByteBuffer(bytes: $0)) }
            let answer = try client(for: call.url).execute(
                request: request,
                delegate: ResponseAccumulator(request: request, maxBodySize: limit),
                deadline: .now() + .seconds(seconds)
            ).wait()
            return Answer(
                status: Int(answer.status.code),
                body: answer.body.map { Data($0.readableBytesView) } ?? Data(),
                retryAfter: answer.headers.first(name: "Retry-After").flatMap { Double($0) },
                version: answer.headers.first(name: "ETag"))
        } catch { throw Failure(reason: reason(error)) }
    }

    /// The reason why a call failed, in words.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout: "no connection in time"
            case .deadlineExceeded, .readTimeout: "no answer in time"
            case .remoteConnectionClosed: "the connection was closed"
            default: error.shortDescription
            }
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { "\($0.error)" } ?? "host \(error.host) is not known"
        default: "\(error)"
        }
    }

    /// The client for an address: through the proxy, or past it.
    ///
    /// - Parameter isPatient: waits for the next byte as long as the whole call may take, and
    ///   follows no redirection.
    static func client(for url: URL, isPatient: Bool = false) -> HTTPClient {
        let proxy = ProxyRule.environment.proxy(for: url)
        let clients = isPatient ? patient : usual
        return proxy == nil ? clients.direct : url.scheme == "https" ? clients.overSecureProxy : clients.overProxy
    }

    /// Clients live as long as the process, so that nobody shuts them down.
    private static let usual = Clients(isPatient: false), patient = Clients(isPatient: true)

    /// A client for each way to other machines.
    private struct Clients {
        let direct: HTTPClient, overProxy: HTTPClient, overSecureProxy: HTTPClient

        init(isPatient: Bool) {
            direct = makeClient(proxy: nil, isPatient)
            overProxy = makeClient(proxy: ProxyRule.environment.plain, isPatient)
            overSecureProxy = makeClient(proxy: ProxyRule.environment.secure, isPatient)
        }
    }

    /// A client without spans; unless it is patient, it gives up after a minute without a byte.
    private static func makeClient(proxy: ProxyRule.Place?, _ isPatient: Bool) -> HTTPClient {
        var settings = HTTPClient.Configuration()
        settings.timeout = .init(connect: .seconds(30), read: isPatient ? nil : .seconds(60))
        // A port that nobody listens at is told at once.
        settings.connectionPool.retryConnectionEstablishment = false
        settings.redirectConfiguration = isPatient ? .disallow : .follow(max: 10, allowCycles: false)
        settings.tracing.tracer = nil
        settings.proxy = proxy.map { .server(host: $0.host, port: $0.port) }
        return HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: settings)
    }
}

/// The proxies that the environment names, and for which hosts.
package struct ProxyRule: Sendable, Equatable {
    /// A proxy's address.
    package struct Place: Sendable, Equatable {
        package var host: String, port: Int
    }
    /// For `http` and for `https` addresses.
    var plain: Place?, secure: Place?
    /// Hosts, and domains by their end, that are reached without; `*` is every host.
    var past: [String]

    /// This process's rule.
    static let environment = ProxyRule(ProcessInfo.processInfo.environment)

    /// Reads `http_proxy` (small letters alone, as a CGI program gets `HTTP_PROXY` from its
    /// caller), `HTTPS_PROXY` and `NO_PROXY`.
    package init(_ environment: [String: String]) {
        func place(_ names: String...) -> Place? {
            guard let text = names.lazy.compactMap({ environment[$0] }).first(where: { !$0.isEmpty }),
                let url = URL(string: text.contains("://") ? text : "http://" + text),
                let host = url.host
            else { return nil }
            return Place(host: host, port: url.port ?? 80)
        }
        plain = place("http_proxy")
        secure = place("https_proxy", "HTTPS_PROXY")
        past = (environment["no_proxy"] ?? environment["NO_PROXY"] ?? "").lowercased()
            .split(separator: ",").map {
                String($0.trimmingPrefix { $0 == " " || $0 == "." }.prefix { $0 != " " })
            }
    }

    /// The proxy for an address; nil if it is reached directly, as this machine always is.
    package func proxy(for url: URL) -> Place? {
        let host = (url.host ?? "").lowercased()
        let isPast = past.contains { $0 == "*" || host == $0 || host.hasSuffix("." + $0) }
        guard !isPast, host != "localhost", host != "::1", !host.hasPrefix("127.") else {
            return nil
        }
        return url.scheme == "https" ? secure : plain
    }
}
