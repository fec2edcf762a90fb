/// The provenance of a memory.
public struct Provenance: Hashable, Sendable, Codable {
    /// Such as `message`, `text`, `file`, `import`.
    public var source: String
    /// The message id, path or URL in that source.
    public var reference: String?
    /// The part of a longer original, from 0, and how many parts there are.
    public var part: Int?
    /// The number of parts of the original.
    public var parts: Int?

    /// The source of what a text was before something was taken out of it.
    public static let redaction = "redaction"

    /// The source of what a recipe made of other memories, such as a summary. Erasing one of these
    /// erases it as well.
    public static let recipe = "recipe"

    /// The source of what another store had kept beside a redacted text. It came from outside, so
    /// rules of access make no exception for it; erasing the redacted memory erases it as well.
    public static let importedOriginal = "imported redaction"

    /// True if it is a text as it was before something was taken out of it.
    package var isOriginal: Bool {
        source == Self.redaction || source == Self.importedOriginal
    }

    /// A source, and where in it.
    public init(source: String, reference: String? = nil, part: Int? = nil, parts: Int? = nil) {
        self.source = source
        self.reference = reference
        self.part = part
        self.parts = parts
    }
}
