import HTTPTypes
import Hummingbird
import Mneme

/// The checks of every request before its route: which page it comes from, and what its body is.
/// Answers `OPTIONS`, and says in JSON where there is no route.
struct RequestGate: RouterMiddleware {
    typealias Context = ConnectionContext

    /// The rule for pages that may call.
    let origins: OriginRule
    /// The routes that exist, to tell a wrong method from a wrong path.
    let routes: RouteMap

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let origin = request.headers[.origin]
        if let origin, !origins.allows(origin, host: request.head.authority) {
            return Response.refusal(
                ClientError(
                    .forbidden, "Requests from the page \(origin.prefix(100)) are not served."),
                routes.form(at: request.uri.path))
        }
        var response = try await answer(request, context, fromPage: origin != nil, next)
        if let origin {
            response.headers[.accessControlAllowOrigin] = origin
            response.headers[.accessControlExposeHeaders] =
                "Retry-After, WWW-Authenticate, X-Request-ID, Mneme-Server, \(SchemaNotice.header), \(ToolNotice.header)"
            response.headers[.vary] = "Origin"
        }
        return response
    }

    /// The answer to a request whose page may call: in the error form of the path's API where
    /// nothing is there, the method is another, or a page's body is no JSON.
    private func answer(
        _ request: Request, _ context: Context, fromPage: Bool,
        _ next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let methods = routes.methods(at: request.uri.path)
        let form = routes.form(at: request.uri.path)
        guard !methods.isEmpty else {
            let path = request.uri.path.prefix(100)
            return Response.refusal(
                ClientError(
                    .notFound, "There is no \(path) here. GET /openapi.json lists what there is."),
                form)
        }
        let allowed = methods.map(\.rawValue).joined(separator: ", ")
        guard methods.contains(request.method) else {
            var response = Response.refusal(
                ClientError(
                    .input, code: "method_not_allowed", status: 405,
                    "\(request.method.rawValue) is not served here, but \(allowed)."), form)
            response.headers[.allow] = allowed
            return response
        }
        if request.method == .options { return Self.preflight(request, allowed) }
        // A page can send other types to any server without asking first.
        if fromPage, Self.hasBody(request), !Self.isJSON(request.headers[.contentType] ?? "") {
            return Response.refusal(
                ClientError(
                    .input, code: "unsupported_media_type", status: 415,
                    "Pages send JSON: Content-Type: application/json."), form)
        }
        return try await next(request, context)
    }

    /// The answer to a browser that asks before a page's request which methods and headers may
    /// come. Headers are allowed as asked for: keys travel in them, and no cookie is read.
    private static func preflight(_ request: Request, _ allowed: String) -> Response {
        var headers: HTTPFields = [.allow: allowed]
        if request.headers[.origin] != nil {
            headers[.accessControlAllowMethods] = allowed
            headers[.accessControlAllowHeaders] = request.headers[.accessControlRequestHeaders]
            headers[.accessControlMaxAge] = "600"
        }
        return Response(status: .noContent, headers: headers)
    }

    /// True if a body follows the head.
    private static func hasBody(_ request: Request) -> Bool {
        request.headers[.transferEncoding] != nil
            || request.headers[.contentLength].map { $0 != "0" } ?? false
    }

    /// `application/json` and types that are written so, such as `application/merge-patch+json`.
    static func isJSON(_ type: String) -> Bool {
        let name = (type.split(separator: ";").first ?? "").lowercased().filter { !$0.isWhitespace }
        return name == "application/json"
            || name.hasPrefix("application/") && name.hasSuffix("+json")
    }
}
