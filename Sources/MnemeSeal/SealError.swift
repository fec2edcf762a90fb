/// Why something encrypted cannot be opened, or a key not be used. The message says what to do.
public struct SealError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind, for programs.
    public enum Code: String, Sendable {
        /// A key is needed, and none was given.
        case keyMissing
        /// A key was given for what is not encrypted.
        case notEncrypted
        /// It was encrypted with another key.
        case wrongKey
        /// The text is no key.
        case malformedKey
        /// What was encrypted has changed since, or was cut off.
        case damaged
    }

    /// The kind, for programs.
    public let code: Code
    /// What happened and what to do, for people.
    public let description: String

    /// Something is encrypted, and no key was given.
    package static func keyMissing(_ path: String) -> SealError {
        SealError(
            .keyMissing,
            "\(path) is encrypted. Give its key: MNEME_KEY_FILE names its file, MNEME_KEY is the key, MNEME_KEY_COMMAND prints it."
        )
    }

    /// An error of a kind, with its description.
    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
