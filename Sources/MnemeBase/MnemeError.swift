/// An error of Mneme: what kind of failure it is, for programs, and what is wrong and what to do,
/// for people.
///
/// HTTP status, log level and the command line's exit code follow from the class alone.
public protocol MnemeError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    var errorClass: ErrorClass { get }
    /// A more precise name than the class for programs; by default the class's own.
    var errorCode: String { get }
    /// The sentence for users: what is wrong, and what to do.
    var message: String { get }
}

extension MnemeError {
    /// The raw value of the class, such as `not_found`.
    public var errorCode: String { errorClass.rawValue }
    /// The message alone, without the type's name.
    public var description: String { message }
}

/// The kinds of failure. The set is closed, so that every surface has an answer for each.
public enum ErrorClass: String, Sendable, CaseIterable {
    /// The request cannot be carried out as it is; the message says what to change.
    case input = "invalid_request"
    /// The request has no valid key or token.
    case unauthenticated = "unauthorized"
    /// The caller may not do this, or no more of it.
    case forbidden
    /// Nothing has this name or id.
    case notFound = "not_found"
    /// The request contradicts the state of what it is about.
    case conflict
    /// The request has more bytes than are taken.
    case tooLarge = "too_large"
    /// Too many requests at once; a later one may succeed.
    case busy = "overloaded"
    /// The disk is full.
    case full = "disk_full"
    /// A file is damaged, or is not what it is taken for.
    case corrupt
    /// This version does not support it.
    case unsupported
    /// A time limit was exceeded.
    case timeout
    /// The caller cancelled it.
    case cancelled
    /// Something that is needed cannot be reached now: a file, a folder, memory, a model, another
    /// machine.
    case unavailable
    /// A defect of Mneme, or an error that nobody foresaw.
    case `internal`

    /// The class of any error.
    public init(_ error: any Error) {
        switch error {
        case let error as any MnemeError: self = error.errorClass
        case is CancellationError: self = .cancelled
        default: self = .internal
        }
    }
}
