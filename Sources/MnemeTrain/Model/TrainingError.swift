public import MnemeBase

/// A training that cannot begin or go on. The message says what to do.
public struct TrainingError: MnemeError {
    /// The kind of failure.
    public enum Code: String, Sendable {
        /// The model's family or shape is not trained.
        case unsupportedModel
        /// A checkpoint or adapter belongs to another model than the one named.
        case wrongBase
        /// A file of examples, or a checkpoint, is not what it should be.
        case invalidFile
        /// There is nothing to learn from.
        case emptySelection
        /// A setting is out of range, or contradicts a checkpoint.
        case invalidSetting
        /// Another process of a shared training is gone.
        case lostRank
        /// The loss is no number any more.
        case diverged
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

    /// The class that status and exit code follow from.
    public var errorClass: ErrorClass {
        switch code {
        case .unsupportedModel: .unsupported
        case .wrongBase: .conflict
        case .emptySelection, .invalidSetting, .invalidFile: .input
        case .diverged, .lostRank: .unavailable
        }
    }
}
