public import MnemeBase

/// A failure to read, keep or use an adapter. The message says what to do.
public struct AdapterError: MnemeError {
    /// The kinds of failure.
    public enum Code: String, Sendable {
        /// Nothing has this name.
        case notFound = "adapter_not_found"
        /// A name that no adapter can have.
        case invalidName = "invalid_adapter_name"
        /// An adapter of this name is there already.
        case exists = "adapter_exists"
        /// A file is damaged, or is no adapter.
        case invalidFile = "invalid_adapter"
        /// An adapter of a kind that is not read.
        case unsupported = "unsupported_adapter"
        /// It was made for another model than the one it is to be used with.
        case wrongBase = "adapter_of_another_model"
        /// One that is kept here cannot be used now: its files are damaged, or it was withdrawn.
        case unavailable = "adapter_unavailable"
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

    /// The raw value of the code.
    public var errorCode: String { code.rawValue }
    /// Not found, input or conflict, by the code.
    public var errorClass: ErrorClass {
        switch code {
        case .notFound: .notFound
        case .invalidName, .invalidFile, .unsupported, .wrongBase: .input
        case .exists: .conflict
        case .unavailable: .unavailable
        }
    }
}
