@_exported public import enum MnemeBase.ErrorClass
@_exported public import protocol MnemeBase.MnemeError

/// A failure of the KV cache, its files or its tiers. None loses anything: what cannot be read is
/// computed again.
public struct KVError: MnemeError, Equatable {
    /// The kind, for programs.
    public enum Code: String, Sendable {
        /// The system refuses memory, addresses or mappings.
        case outOfMemory = "out_of_memory"
        /// A file is no block, was cut off or changed.
        case damaged
        /// A block belongs to another model, text or layout, or was encrypted with another key.
        case foreign
        /// A file or folder cannot be read or written.
        case inputOutput = "input_output"
        /// There is no such block, or its name fits several.
        case notFound = "not_found"
        /// The model, or what was asked for together, does not allow it.
        case unsupported
    }

    /// The kind, for programs.
    public let code: Code
    /// The fault, and what to do about it.
    public let message: String

    /// Nothing is kept under this name.
    public static func absent(_ name: String) -> KVError {
        KVError(
            .notFound,
            "There are no kept keys and values called '\(name.prefix(80))'. `mneme kv list` shows what there is."
        )
    }

    /// Blocks may be left on a server that machines share.
    ///
    /// - Parameter advice: what to do, as a sentence.
    package static func unreached(_ place: String, _ error: KVError, _ advice: String) -> KVError {
        KVError(
            error.code,
            "Keys and values that were made with it may be left on \(place): \(error.message) \(advice)")
    }

    /// An error of a kind, with its message.
    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The code's name in JSON.
    public var errorCode: String { code.rawValue }
    /// The class that HTTP status and exit code follow from.
    public var errorClass: ErrorClass {
        switch code {
        case .outOfMemory, .inputOutput: .unavailable
        case .damaged: .corrupt
        case .notFound: .notFound
        case .foreign, .unsupported: .unsupported
        }
    }
}
