package import Logging
import Mneme
package import MnemeBase
import NIOCore

/// An error as a client sees it: an HTTP status, a bounded code, a message that says what to do.
///
/// It is an error itself where the server refuses a request before any operation sees it.
struct ClientError: MnemeError, Equatable {
    var errorClass: ErrorClass
    /// A finer name than the class's, from a list that is small: clients may branch on it.
    var errorCode: String
    /// A sentence for people: what is wrong, and what to do.
    var message: String
    /// The HTTP status; the class's own unless HTTP has a finer one.
    var status: Int
    /// Seconds after which the same request may succeed.
    var retryAfter: Double?

    /// An error that the server raises itself.
    ///
    /// - Parameters:
    ///   - code: the class's own if left out.
    ///   - status: the class's own if left out.
    init(
        _ errorClass: ErrorClass, code: String? = nil, status: Int? = nil,
        retryAfter: Double? = nil, _ message: String
    ) {
        self.errorClass = errorClass
        errorCode = code ?? errorClass.rawValue
        self.message = message
        self.status = status ?? errorClass.status
        self.retryAfter = retryAfter
    }

    /// Maps any error. One that is not of the project's own family is an internal error.
    private init(_ error: any Error) {
        switch error {
        case let error as ClientError: self = error
        case let error as any MnemeError:
            self.init(
                error.errorClass, code: error.errorCode,
                retryAfter: error.errorClass == .busy ? 1 : nil,
                error.message)
        // The two of NIO: whoever asked has gone away.
        case is CancellationError, is ChannelError, is IOError:
            self.init(.cancelled, "The request was cancelled.")
        // The cause may hold what a client must not see.
        default: self.init(.internal, "The server failed. Its log says more.")
        }
    }
}

extension ClientError {
    /// The answer to an error. It is the only way to make one, so that what is the server's own
    /// fault stands in its log.
    init(_ error: any Error, log: Logger, operation: String?, request: String?) {
        self.init(error)
        guard let level = errorClass.logLevel else { return }
        log.log(
            level: level, "request failed",
            metadata: [
                "operation": "\(operation ?? "")", "code": "\(errorCode)",
                "request": "\(request ?? "")",
                "error": "\(type(of: error))", "cause": "\(error)",
            ])
    }
}

extension ErrorClass {
    /// The HTTP status of an answer.
    package var status: Int {
        switch self {
        case .input: 400
        case .unauthenticated: 401
        case .forbidden: 403
        case .notFound: 404
        case .conflict: 409
        case .tooLarge: 413
        case .busy: 429
        case .corrupt, .unsupported, .internal: 500
        case .cancelled, .unavailable: 503
        case .timeout: 504
        case .full: 507
        }
    }

    /// The level at which the server's log tells of it; nil if it is the caller's own affair, whose
    /// words stay out of the log.
    package var logLevel: Logger.Level? {
        switch self {
        case .input, .unauthenticated, .forbidden, .notFound, .conflict, .tooLarge, .busy: nil
        case .cancelled: .info
        case .timeout: .warning
        case .full, .corrupt, .unsupported, .unavailable, .internal: .error
        }
    }
}
