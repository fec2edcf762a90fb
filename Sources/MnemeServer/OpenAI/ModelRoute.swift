import Mneme
import MnemeStore

/// A route of OpenAI's API, declared once: the router, the check of permissions and the OpenAPI
/// document are made from it.
struct ModelRoute: Sendable {
    /// Method and path.
    let route: Route
    /// Its name in the OpenAPI document.
    let name: String
    /// Its name in metrics and in the audit log.
    let operation: String
    /// One sentence.
    let summary: String
    /// What a key needs; nil if any key will do.
    let permission: Permission?
    /// What the request's body may hold.
    let fields: [any AnyRequestField]

    private init(
        _ route: Route, _ name: String, operation: String? = nil, _ summary: String,
        permission: Permission? = nil,
        fields: [any AnyRequestField] = []
    ) {
        self.route = route
        self.name = name
        self.operation = operation ?? name
        self.summary = summary
        self.permission = permission
        self.fields = fields
    }

    static let chat = ModelRoute(
        Route(.post, "/v1/chat/completions"), "chat",
        "An answer in a conversation (OpenAI-compatible), with `memory` if asked for.",
        permission: .read,
        fields: ChatFields.all)
    static let completions = ModelRoute(
        Route(.post, "/v1/completions"), "completions",
        "The continuation of a text (OpenAI-compatible).",
        permission: .read, fields: CompletionFields.all)
    static let embeddings = ModelRoute(
        Route(.post, "/v1/embeddings"), "embeddings", "Vectors of texts (OpenAI-compatible).",
        permission: .read,
        fields: EmbeddingsFields.all)
    static let models = ModelRoute(
        Route(.get, "/v1/models"), "models", "The models that are served.")
    static let model = ModelRoute(
        Route(.get, "/v1/models/{id}"), "model", operation: "models", "One model that is served.")

    /// Every route.
    static let all = [chat, completions, embeddings, models, model]
}
