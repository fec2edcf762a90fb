import HTTPTypes
import Mneme
import MnemeStore

/// A route of an API that other programs speak, declared once: the router, the check of permissions
/// and the OpenAPI document are made from it.
struct WireRoute: Sendable {
    /// The HTTP method.
    let method: HTTPRequest.Method
    /// The path; `{name}` stands for any one part.
    let path: String
    /// Whose API it is of.
    let form: WireForm
    /// Its name in the OpenAPI document.
    let name: String
    /// Its name in metrics and in the audit log.
    let operation: String
    /// One sentence.
    let summary: String
    /// The permission that a key needs; nil if any key will do.
    let permission: Permission?
    /// Fields that the request may hold: in its body, or in its query where the method has none.
    let fields: [any AnyRequestField]
    /// True if a model computes the answer: that ends when the client has gone.
    let isComputed: Bool

    /// - Parameters:
    ///   - operation: the name if left out.
    init(
        _ method: HTTPRequest.Method, _ path: String, _ form: WireForm, _ name: String,
        operation: String? = nil, _ summary: String, permission: Permission? = nil,
        fields: [any AnyRequestField] = [], isComputed: Bool = false
    ) {
        self.method = method
        self.path = path
        self.form = form
        self.name = name
        self.operation = operation ?? name
        self.summary = summary
        self.permission = permission
        self.fields = fields
        self.isComputed = isComputed
    }

    /// Names that stand in the path in braces.
    var placeholders: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
            String($0.dropFirst().dropLast())
        }
    }

    /// True if fields stand in the query.
    var readsQuery: Bool { method == .get || method == .delete }

    /// Every route.
    static let all: [WireRoute] = openAI + responses + anthropic + ollama + mem0 + status + [servers]
}
