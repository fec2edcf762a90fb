@_exported public import enum MnemeBase.ErrorClass
@_exported public import protocol MnemeBase.MnemeError

/// A refusal or failure of the store. The message says what to do.
public struct StoreError: MnemeError {
    /// Kinds of failures; a bounded set, fit for metrics.
    public enum Code: String, Sendable {
        /// No such memory in this scope.
        case notFound = "not_found"
        /// The request contradicts the state: an illegal transition, an idempotency key reused for
        /// another request.
        case conflict
        /// A text or a name holds a NUL character, which SQLite and PostgreSQL would cut off.
        case invalidText = "invalid_text"
        /// The caller may not keep more memories; nothing of the request was written.
        case quotaReached = "quota_reached"
        /// The disk is full; nothing of the request was written.
        case diskFull = "disk_full"
        /// The store or its folder cannot be written.
        case readOnly = "read_only"
        /// Another process holds the store for too long.
        case busy
        /// The file is damaged or not a store.
        case corrupt
        /// The file was written by a newer Mneme.
        case newerVersion = "newer_version"
        /// The file cannot be opened or another input or output error.
        case unavailable
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

    /// The code's name, as JSON and logs have it.
    public var errorCode: String { code.rawValue }
    /// The class that status and exit code follow from.
    public var errorClass: ErrorClass {
        switch code {
        case .invalidText: .input
        case .notFound: .notFound
        case .conflict: .conflict
        case .quotaReached: .forbidden
        case .diskFull: .full
        case .readOnly, .busy, .unavailable: .unavailable
        case .corrupt: .corrupt
        case .newerVersion: .unsupported
        }
    }
}
