import MnemeBase

/// Whose API a route belongs to. It decides what an error looks like, so that clients of that API
/// find its code and message where they look for them.
enum WireForm: Sendable {
    /// Mneme's own routes, and those of OpenAI's API.
    case openAI
    /// https://platform.claude.com/docs/en/api/errors
    case anthropic
    /// https://docs.ollama.com/api/errors
    case ollama
    /// mem0's platform and its self-hosted server.
    case mem0

    /// The body of an answer that tells of an error.
    func body(of error: ClientError) -> OrderedJSON {
        switch self {
        case .openAI:
            .members([
                (
                    "error",
                    .members([
                        ("type", .string(error.errorCode)), ("code", .string(error.errorCode)),
                        ("message", .string(error.message)),
                    ])
                )
            ])
        case .anthropic:
            .members([
                ("type", .string("error")),
                (
                    "error",
                    .members([
                        ("type", .string(Self.anthropicType(error))),
                        ("message", .string(error.message)),
                    ])
                ),
            ])
        case .ollama: .members([("error", .string(error.message))])
        case .mem0:
            .members([("detail", .string(error.message)), ("code", .string(error.errorCode))])
        }
    }

    /// The error type that Anthropic's API has for an HTTP status.
    private static func anthropicType(_ error: ClientError) -> String {
        switch error.status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 504: "timeout_error"
        case 503: "overloaded_error"
        case 500...: "api_error"
        default: "invalid_request_error"
        }
    }
}
