/// Something that a text says of which only one thing holds at a time: where somebody lives, what a
/// thing costs.
///
/// Of two memories that claim different things, the later one holds from its time on; see
/// ``MemCube/validUntil``.
public struct Claim: Hashable, Sendable, Codable {
    /// Of whom or what, lower-cased: `ana`, `ana's dog`, `key`.
    public var subject: String
    /// Such as `home`, `employer`, `email`, `opinion of coffee`.
    public var attribute: String
    /// What is said to hold, lower-cased.
    public var value: String
    /// Whether it is said that this does not hold any more.
    public var isDenied: Bool

    /// All values.
    public init(subject: String, attribute: String, value: String, isDenied: Bool = false) {
        self.subject = subject
        self.attribute = attribute
        self.value = value
        self.isDenied = isDenied
    }

    /// What can hold one value only.
    package var key: String { subject + "\u{1f}" + attribute }

    /// Whether this one, said later, ends what the other says of the same.
    func ends(_ earlier: Claim) -> Bool {
        if earlier.isDenied { return !isDenied && value == earlier.value }
        return isDenied == (value == earlier.value)
    }
}

extension KeyedDecodingContainer {
    /// What was written before there were claims has none.
    func decode(_ type: [Claim].Type, forKey key: Key) throws -> [Claim] {
        try decodeIfPresent(type, forKey: key) ?? []
    }
}
