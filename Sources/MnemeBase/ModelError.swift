/// A failure to read or use a model. The message says what to do.
public struct ModelError: MnemeError {
    /// The kind of failure.
    public enum Code: String, Sendable {
        /// A file that the model needs is not there.
        case missingFile
        /// A file is truncated, damaged or not of the expected format.
        case invalidFile
        /// The model is of an architecture or shape that is not supported.
        case unsupported
        /// A file could not be written.
        case cannotWrite
        /// A server did not give what was asked for.
        case cannotFetch
        /// A model was taken out of use: what it was made from was erased.
        case withdrawn
    }

    /// The kind of failure.
    public let code: Code
    /// The sentence for users: what is wrong, and what to do.
    public let message: String

    /// An error of a kind, with its message.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// True where work goes on without the model, by words, until it is there again or another is.
    public var isOutOfReach: Bool { code == .cannotFetch || code == .withdrawn }

    /// Unavailable, whatever the code: with another file the same request may succeed.
    public var errorClass: ErrorClass { .unavailable }
    /// `model_unavailable` for every code, as clients can do the same about each.
    public var errorCode: String { "model_unavailable" }
}
