/// Something that a text says of which only one thing holds at a time: where somebody lives, what a
/// thing costs.
///
/// Of two memories that claim different things, the later one holds from its time on; see
/// `MemCube.validUntil`.
public struct Claim: Hashable, Sendable, Codable {
    /// Of whom or what, lower-cased: `ana`, `ana's dog`, `key`.
    public var subject: String
    /// Such as `home`, `employer`, `email`, `opinion of coffee`.
    public var attribute: String
    /// The value that is said to hold, lower-cased.
    public var value: String
    /// True if it is said that this does not hold any more.
    public var isDenied: Bool

    /// A claim; not a denial unless it is said to be one.
    public init(subject: String, attribute: String, value: String, isDenied: Bool = false) {
        self.subject = subject
        self.attribute = attribute
        self.value = value
        self.isDenied = isDenied
    }

    /// The thing that the claim is about, which has one value at a time.
    public var key: String { subject + "\u{1f}" + attribute }

    /// Tells whether this one, said later, ends what the other says of the same.
    package func ends(_ earlier: Claim) -> Bool {
        if earlier.isDenied { return !isDenied && value == earlier.value }
        return isDenied == (value == earlier.value)
    }
}

extension KeyedDecodingContainer {
    /// Reads claims; cubes from before there were any have none.
    package func decode(_ type: [Claim].Type, forKey key: Key) throws -> [Claim] {
        try decodeIfPresent(type, forKey: key) ?? []
    }
}
