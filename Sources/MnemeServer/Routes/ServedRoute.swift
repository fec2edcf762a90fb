import HTTPTypes
import Mneme
import MnemeStore

/// A row of the table of all that the server answers, whatever declares it: the router, the check
/// of permissions, metrics, the audit log and the OpenAPI document are made from it.
///
/// Operations of ``Mneme/OperationTable`` and ``WireRoute``s of other APIs become rows by
/// themselves; what the server tells of itself is listed here.
struct ServedRoute: Sendable {
    /// The HTTP method.
    let method: HTTPRequest.Method
    /// The path; `{name}` stands for any one part.
    let path: String
    /// The form of its errors.
    let form: WireForm
    /// Its name in metrics, traces and the audit log.
    let operation: String
    /// The permission that a key needs; nil if any key will do.
    let permission: Permission?
    /// True if it is answered without a key.
    let isPublic: Bool
    /// What the OpenAPI document says of it; nil if it is not there.
    let description: JSONValue?

    /// A row of its own.
    init(
        _ method: HTTPRequest.Method, _ path: String, _ form: WireForm = .openAI,
        operation: String, permission: Permission? = nil, isPublic: Bool = false,
        description: JSONValue? = nil
    ) {
        self.method = method
        self.path = path
        self.form = form
        self.operation = operation
        self.permission = permission
        self.isPublic = isPublic
        self.description = description
    }

    /// The row of an operation; nil if it is not there over HTTP.
    init?(_ operation: any Mneme.Operation.Type) {
        guard let route = operation.route, operation.surfaces.contains(.http) else { return nil }
        self.init(
            HTTPRequest.Method(route.method.rawValue) ?? .get, route.path,
            operation: operation.name, permission: operation.permission,
            description: OpenAPI.description(operation, route))
    }

    /// The row of another API's route.
    init(_ route: WireRoute) {
        self.init(
            route.method, route.path, route.form, operation: route.operation,
            permission: route.permission, description: OpenAPI.description(route))
    }

    /// Whether the server lives.
    static let health = ServedRoute(
        .get, "/healthz", operation: "health", isPublic: true, description: OpenAPI.health)
    /// The OpenAPI document.
    static let openAPI = ServedRoute(
        .get, "/openapi.json", operation: "openapi", isPublic: true,
        description: OpenAPI.openAPI)
    /// Figures for Prometheus; which of the store's it tells depends on who asks.
    static let metrics = ServedRoute(
        .get, "/metrics", operation: "metrics", description: OpenAPI.metrics)
    /// MCP. Each call in it is checked as an operation.
    static let mcp = ServedRoute(.post, "/mcp", operation: "mcp", description: OpenAPI.mcp)
    /// The first page of the viewer.
    static let viewer = ServedRoute(
        .get, "/", operation: "viewer", isPublic: true, description: OpenAPI.viewer)

    /// Every row but those of the viewer's further files and of what tokens need, which depend on
    /// how the server was built and set up.
    static let all =
        OperationTable.all.compactMap { ServedRoute($0) } + WireRoute.all.map { ServedRoute($0) }
        + [health, openAPI, metrics, mcp, viewer]
}
