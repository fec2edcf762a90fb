@_exported public import enum MnemeBase.ErrorClass
@_exported public import protocol MnemeBase.MnemeError

/// A refused or failed request to the engine. The message says what to do.
public struct EngineError: MnemeError {
    /// The kinds of failure.
    public enum Code: String, Sendable {
        /// The prompt and the answer do not fit the context or the memory for keys and values.
        case tooLong = "context_length_exceeded"
        /// A parameter is out of its range.
        case invalidRequest = "invalid_request"
        /// Too many requests wait already.
        case overloaded
        /// The request's time is over.
        case timeout
        /// The engine is shut down.
        case closed
    }

    /// The kind of failure.
    public let code: Code
    /// The fault, and what to do about it.
    public let message: String

    /// An error of a kind, with its message.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The code's name in JSON, OpenAI's where it has one.
    public var errorCode: String { code.rawValue }
    /// The class that HTTP status and exit code follow from.
    public var errorClass: ErrorClass {
        switch code {
        case .tooLong, .invalidRequest: .input
        case .overloaded: .busy
        case .timeout: .timeout
        case .closed: .unavailable
        }
    }
}

extension EngineError {
    /// More tokens than there is room for.
    ///
    /// LiteLLM and others know a context that is too small by the first and the last sentence, which
    /// are OpenAI's and Anthropic's.
    ///
    /// - Parameters:
    ///   - most: tokens that prompt and answer may have together.
    ///   - reason: why there are no more; the model's own limit if it is empty.
    static func tooLong(_ tokens: Int, of most: Int, _ reason: String = "") -> EngineError {
        let reason = reason.isEmpty ? "" : reason + " "
        return EngineError(
            .tooLong,
            "This model's maximum context length is \(most) tokens for prompt and answer together. "
                + reason
                + "Shorten the messages or ask for fewer tokens: the prompt is too long: \(tokens) tokens > \(most) maximum."
        )
    }
}
