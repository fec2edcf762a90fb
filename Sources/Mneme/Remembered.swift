import MnemeBase
public import MnemeStore

extension MemoryInput {
    /// - Throws: `InputError` if the input cannot be remembered, whatever else is stored.
    func check() throws {
        try MemoryLimits.check(text: text)
        try MemoryLimits.check(tags: tags, metadata: metadata)
        try MemoryLimits.check(names: [speaker, session, agent, source, reference])
        // Rules of access and erasure go by it: it is said by Mneme alone.
        guard source != Provenance.redaction, source != Provenance.recipe else {
            throw InputError("'\(source)' is a source of Mneme's own. Name another.")
        }
    }
}

/// The outcome of remembering a `MemoryInput`.
public struct Remembered: Sendable, Codable {
    /// The memory's id.
    public var id: CubeID
    /// Its kind, given or found.
    public var type: MemoryType
    /// A duplicate: the very same memory was there already, and nothing was written.
    public var duplicate: Bool
    /// An earlier memory that says nearly the same; the two are linked.
    public var nearDuplicateOf: CubeID?
    /// The memory as it is stored.
    public var memory: MemCube
}
