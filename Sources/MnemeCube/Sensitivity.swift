/// A confidentiality label. A principal sees what is labelled up to its clearance.
public enum Sensitivity: Int, Sendable, CaseIterable, Comparable {
    /// For everybody who reaches the owner's memories at all.
    case `public` = 0
    /// The label of memories that have none.
    case `internal` = 1
    /// Above what grants share unless they say `up_to`.
    case confidential = 2
    /// The highest label: originals of redacted texts have it.
    case restricted = 3

    /// A lower label may go further.
    public static func < (a: Sensitivity, b: Sensitivity) -> Bool { a.rawValue < b.rawValue }

    /// As it is written in JSON and on the command line.
    public var name: String { "\(self)" }

    /// - Returns: nil if no label is called so.
    public init?(name: String) {
        guard let known = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = known
    }
}

extension Sensitivity: Codable {
    public init(from decoder: any Decoder) throws {
        let name = try decoder.singleValueContainer().decode(String.self)
        guard let known = Sensitivity(name: name) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "'\(name.prefix(40))' is not a sensitivity."))
        }
        self = known
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}

extension KeyedDecodingContainer {
    /// Reads a label; cubes from before there were any have none.
    package func decode(_ type: Sensitivity.Type, forKey key: Key) throws -> Sensitivity {
        try decodeIfPresent(type, forKey: key) ?? .internal
    }
}
