import Mneme
import MnemeBase
import MnemeEngine
import MnemeStore

/// How an error looks to a client: an HTTP status, a bounded code, a message that says what to do.
struct ClientError {
    var status: Int
    var code: String
    var message: String
    var retryAfter: Double?

    init(status: Int, code: String, message: String, retryAfter: Double? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    init(_ error: any Error) {
        switch error {
        case let error as InputError: self.init(status: 400, code: "invalid_request", message: error.description)
        case let error as AccessError: self.init(status: 403, code: "forbidden", message: error.description)
        case let error as ModelError: self.init(status: 503, code: "model_unavailable", message: error.description)
        case let error as StoreError:
            let status =
                switch error.code {
                case .notFound: 404
                case .conflict: 409
                case .invalidText: 400
                case .quotaReached: 403
                case .diskFull: 507
                case .readOnly, .busy, .unavailable: 503
                case .corrupt, .newerVersion: 500
                }
            self.init(status: status, code: error.code.rawValue, message: error.description)
        case let error as EngineError:
            let status =
                switch error.code {
                case .tooLong, .invalidRequest: 400
                case .overloaded: 429
                case .timeout: 504
                case .closed, .outOfMemory: 503
                }
            self.init(
                status: status, code: error.code.rawValue, message: error.description,
                retryAfter: error.code == .overloaded ? 1 : nil)
        case let error as UnknownModel: self.init(status: 404, code: "model_not_found", message: error.description)
        case is CancellationError: self.init(status: 503, code: "cancelled", message: "The request was cancelled.")
        // The cause may hold what a client must not see.
        default: self.init(status: 500, code: "internal", message: "The server failed. Its log says more.")
        }
    }

    /// The shape of OpenAI's errors, which clients know.
    var json: JSONValue { ["error": ["type": .string(code), "code": .string(code), "message": .string(message)]] }
}
