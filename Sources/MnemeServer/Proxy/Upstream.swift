public import Foundation
import HTTPTypes
import Hummingbird
import MnemeBase
import MnemeHub
import NIOConcurrencyHelpers

/// The OpenAI-compatible endpoint that a proxy stands before.
public struct Upstream: Sendable {
    /// Its base address with the version, such as `https://api.openai.com/v1`.
    public let base: URL
    /// Sent as a bearer token; nothing that a client sends is.
    private let key: String?
    /// Seconds until an answer has to be there whole.
    public var seconds = 600
    /// Requests at a time; more are refused at once with status 429.
    public var maximumRequests = 64
    private let running = NIOLockedValueBox(0)

    /// - Throws: `InputError` if that is no such address, or holds a password.
    public init(base text: String, key: String?) throws {
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme),
            url.host?.isEmpty == false, url.query == nil
        else {
            throw InputError("'\(text.prefix(200))' is no address such as https://api.openai.com/v1.")
        }
        guard url.user == nil, url.password == nil else {
            throw InputError("The upstream's address holds no password: set MNEME_UPSTREAM_KEY to its key.")
        }
        (base, self.key) = (url, key?.isEmpty == true ? nil : key)
    }

    /// Headers that go neither way: of one connection (RFC 9110, 7.6.1), those that name or open the proxy, and those that this side makes
    /// anew.
    private static let own: Set<String> = [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "content-length", "authorization", "x-api-key",
        "cookie", "set-cookie", "accept-encoding", "origin", "referer", "expect", "server", "date",
        "x-mneme-cache", "cache-control", "x-forwarded-for", "forwarded", "alt-svc",
        "strict-transport-security",
    ]

    /// The call that a request becomes.
    ///
    /// - Parameter path: behind the version, such as `/chat/completions`, with the query.
    func call(_ request: Request, path: String, body: Data?) throws -> OutgoingHTTP.Call {
        var address = base.absoluteString
        while address.hasSuffix("/") { address.removeLast() }
        guard let url = URL(string: address + path) else {
            throw ClientError(.input, "The path \(path.prefix(100)) cannot be sent on.")
        }
        var headers = request.headers.filter { !Self.own.contains($0.name.canonicalName) }
            .map { (name: $0.name.rawName, value: $0.value) }
        if let key { headers.append((name: "Authorization", value: "Bearer \(key)")) }
        return OutgoingHTTP.Call(
            request.method.rawValue, url, headers: headers,
            body: body.flatMap { $0.isEmpty && request.method == .get ? nil : $0 })
    }

    /// An answer that comes, and its place among the requests at a time.
    struct Opened: Sendable {
        let answer: OutgoingHTTP.Incoming
        /// The place is free again when nobody holds this.
        let place: Place
    }

    /// A request's place among those at a time; given back when it is let go of.
    final class Place: Sendable {
        private let running: NIOLockedValueBox<Int>

        /// - Throws: ``ClientError`` if there is none.
        fileprivate init(_ running: NIOLockedValueBox<Int>, most: Int) throws {
            self.running = running
            let isFree = running.withLockedValue { running in
                running += 1
                return running <= most
            }
            guard isFree else {
                // Thrown from here on, `deinit` gives the place back.
                throw ClientError(
                    .busy, code: "upstream_busy", retryAfter: 1,
                    "\(most) requests wait for the upstream already. Try again later.")
            }
        }

        deinit { running.withLockedValue { $0 -= 1 } }
    }

    /// Sends a call; whoever reads its answer slowly lets the upstream wait.
    ///
    /// - Throws: ``ClientError`` if too many are under way, or no answer came.
    func open(_ call: OutgoingHTTP.Call) async throws -> Opened {
        let place = try Place(running, most: maximumRequests)
        do {
            return Opened(answer: try await OutgoingHTTP.open(call, seconds: Int64(seconds)), place: place)
        } catch let failure as OutgoingHTTP.Failure {
            let isLate = failure.reason == "no answer in time"
            throw ClientError(
                isLate ? .timeout : .unavailable, code: "upstream_unreachable", status: isLate ? 504 : 502,
                "The upstream \(base.host ?? "") did not answer: \(failure.reason).")
        }
    }

    /// An answer's headers, without those of its connection.
    static func headers(of answer: OutgoingHTTP.Incoming) -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in answer.headers where !own.contains(name.lowercased()) {
            guard let name = HTTPField.Name(name) else { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        return fields
    }
}
