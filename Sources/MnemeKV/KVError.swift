/// What went wrong with kept keys and values.
public struct KVError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind, for programs.
    public enum Code: String, Sendable {
        /// The system refuses memory, addresses or mappings.
        case outOfMemory
        /// A file is no block, was cut off or changed.
        case damaged
        /// A block belongs to another model, another layout or other instruction sets.
        case foreign
        /// A file or folder cannot be read or written.
        case inputOutput
        /// There is no such block, or its name fits several.
        case notFound
        /// The model, or what was asked for together, does not allow it.
        case unsupported
    }

    /// The kind, for programs.
    public let code: Code
    /// What happened and what to do, for people.
    public let description: String

    /// Nothing is kept under this name.
    public static func absent(_ name: String) -> KVError {
        KVError(
            .notFound,
            "There are no kept keys and values called '\(name.prefix(80))'. `mneme kv list` shows what there is.")
    }

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
