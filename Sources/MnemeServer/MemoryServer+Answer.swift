import Foundation
import HTTPTypes
import Hummingbird
import Mneme
import MnemeBase
import MnemeStore
import Tracing

/// The frame of every request, whatever its route: who asks, limits, metrics, a trace's span, and
/// how errors become answers.
extension MemoryServer {
    /// Identifies the caller, applies the limits, counts, and turns errors into answers.
    ///
    /// - Parameter form: what errors look like.
    func answer(
        _ request: Request, _ operation: String, _ form: WireForm = .openAI,
        _ body: (Caller) async throws -> Response
    ) async -> Response {
        var context = InstrumentationContext.topLevel
        InstrumentationSystem.instrument.extract(
            request.headers, into: &context, using: HeaderExtractor())
        return await withSpan(
            "\(request.method.rawValue) \(operation)", context: context, ofKind: .server
        ) { span in
            let response = await answerRequest(request, operation, form, body)
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

    /// Answers a request in its span: who asks, whether their rate allows it, what comes of it.
    /// Errors become answers here, and nowhere else.
    private func answerRequest(
        _ request: Request, _ operation: String, _ form: WireForm,
        _ body: (Caller) async throws -> Response
    ) async -> Response {
        let clock = ContinuousClock()
        let start = clock.now
        let id = Self.requestID(request)
        var response: Response
        do {
            let caller = try await configuration.identify(request)
            if let wait = await wait(for: caller) {
                throw ClientError(
                    .busy, code: "rate_limited", retryAfter: wait,
                    "Too many requests. Try again in \(Int(wait.rounded(.up))) s.")
            }
            response = try await body(
                Caller(caller.principal, operation: operation, request: id, time: memory.now))
            // Whoever is one user asks for that one's memories.
            if caller.principal.user != nil {
                nameServer(of: try caller.principal.owner(tenant: nil, user: nil), in: &response)
            }
        } catch {
            let failure = ClientError(error, log: logger, operation: operation, request: id)
            response = .refusal(failure, form)
            if let wait = failure.retryAfter {
                response.headers[.retryAfter] = String(Int(wait.rounded(.up)))
            }
            response.headers[.wwwAuthenticate] = challenge(failure, request)
        }
        response.headers[.requestID] = id
        metrics.record(
            operation: operation, status: Int(response.status.code),
            seconds: (clock.now - start) / .seconds(1))
        return response
    }

    /// The header that tells a refused client how to get in; nil where no other key would help.
    private func challenge(_ failure: ClientError, _ request: Request) -> String? {
        let lacksScope = failure.errorCode == ProtectedResource.insufficientScope
        guard failure.status == 401 || lacksScope else { return nil }
        guard let resource = configuration.tokens?.resource else { return "Bearer" }
        let hasCredentials = request.headers[.authorization] != nil
        return resource.challenge(
            base: base(of: request), path: request.uri.path,
            error: lacksScope ? failure.errorCode : hasCredentials ? "invalid_token" : nil)
    }

    /// The request's name, the client's own or a new one: it stands in the answer, the
    /// server's log and the audit log.
    private static func requestID(_ request: Request) -> String {
        if let given = request.headers[.requestID], (1...128).contains(given.utf8.count),
            given.utf8.allSatisfy({ (33...126).contains($0) })
        {
            return given
        }
        return UUID().uuidString.lowercased()
    }
}

/// Finds what an instrument looks for in a request's headers.
private struct HeaderExtractor: Extractor {
    /// A header's value; nil for a key that cannot be a header's name.
    func extract(key: String, from headers: HTTPFields) -> String? {
        HTTPField.Name(key).flatMap { headers[$0] }
    }
}

extension HTTPField.Name {
    /// The header with the request's name, taken from requests and set in answers.
    static let requestID = HTTPField.Name("X-Request-ID")!
}
