@_exported public import enum MnemeBase.ErrorClass
@_exported public import protocol MnemeBase.MnemeError

/// A failure to open something encrypted, or to use a key. The message says what to do.
public struct SealError: MnemeError, Equatable {
    /// The kind, for programs.
    public enum Code: String, Sendable {
        /// A key is needed, and none was given.
        case keyMissing = "key_missing"
        /// A key was given for what is not encrypted.
        case notEncrypted = "not_encrypted"
        /// It was encrypted with another key.
        case wrongKey = "wrong_key"
        /// The text is no key.
        case malformedKey = "malformed_key"
        /// Encrypted bytes that have changed since, or were cut off.
        case damaged
    }

    /// The kind, for programs.
    public let code: Code
    /// The failure and what to do, in a sentence for people.
    public let message: String

    /// Something is encrypted, and no key was given.
    package static func keyMissing(_ path: String) -> SealError {
        SealError(
            .keyMissing,
            "\(path) is encrypted. Give its key: MNEME_KEY_FILE names its file, MNEME_KEY is the key, MNEME_KEY_COMMAND prints it."
        )
    }

    /// Encrypted bytes are not what was written.
    package static func damaged(_ path: String) -> SealError {
        SealError(.damaged, "\(path) is damaged or cut off.")
    }

    /// An error of a kind, with its description.
    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The raw value of the code.
    public var errorCode: String { code.rawValue }
    /// Input for a text that is no key, corrupt for damage, else unavailable.
    public var errorClass: ErrorClass {
        switch code {
        case .malformedKey: .input
        case .damaged: .corrupt
        case .keyMissing, .notEncrypted, .wrongKey: .unavailable
        }
    }
}
