import Foundation
import MnemeStore

/// One line of an export: a memory as it is, and its links to others.
///
/// The members of the memory and its `links` stand in one object, so that a line can be read as a
/// memory alone.
struct MemoryLine: Codable, Sendable {
    /// A link to another memory.
    struct Link: Codable, Sendable {
        /// The cube that it leads to.
        var target: CubeID
        /// The kind of relation.
        var kind: String
        /// The time at which it was made.
        var time: Date
    }

    /// The member beside those of the memory itself.
    private enum Keys: String, CodingKey { case links }

    /// The memory.
    var cube: MemCube
    /// Its links to other memories.
    var links: [Link]

    /// - Parameter links: of the memory, in both directions; those that lead from it are kept.
    init(_ cube: MemCube, _ links: [CubeLink]) {
        self.cube = cube
        self.links = links.filter { $0.source == cube.id }.map {
            Link(target: $0.target, kind: $0.kind, time: $0.time)
        }
    }

    /// Reads the memory and its links out of one object; earlier versions wrote no links.
    init(from decoder: any Decoder) throws {
        cube = try MemCube(from: decoder)
        links =
            try decoder.container(keyedBy: Keys.self).decodeIfPresent([Link].self, forKey: .links)
            ?? []
    }

    /// Encodes the memory and its links into one object.
    func encode(to encoder: any Encoder) throws {
        try cube.encode(to: encoder)
        guard !links.isEmpty else { return }
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(links, forKey: .links)
    }

    /// The line as JSON. Times are ISO 8601, with a fraction where there is one.
    func text() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(Self.text(of: date))
        }
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// True for JSON that looks like a memory of an export: it has a scope and a recorded time.
    static func matches(_ json: JSONValue) -> Bool {
        json["scope"]?.object != nil && json["recordedTime"] != nil
    }

    /// - Throws: `InputError` for what no store has written.
    init(_ json: JSONValue) throws {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            guard let date = DateText.parse(try decoder.singleValueContainer().decode(String.self))
            else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: decoder.codingPath, debugDescription: "no date"))
            }
            return date
        }
        do {
            self = try decoder.decode(MemoryLine.self, from: JSONEncoder().encode(json))
        } catch let error
            as DecodingError
        {
            throw InputError("it is not a memory as Mneme writes it: \(Self.memberPath(of: error))")
        }
        try MemoryLimits.check(cube)
        for link in links { try MemoryLimits.check(kind: link.kind, time: link.time) }
    }

    /// The path of the member of a line that is wrong, in words.
    private static func memberPath(of error: DecodingError) -> String {
        func name(_ path: [any CodingKey]) -> String {
            "'\(path.map(\.stringValue).joined(separator: ".").prefix(80))' is missing or wrong"
        }
        return switch error {
        case .keyNotFound(let key, let context): name(context.codingPath + [key])
        case .typeMismatch(_, let context), .valueNotFound(_, let context),
            .dataCorrupted(let context):
            name(context.codingPath)
        @unknown default: "something is missing"
        }
    }

    /// A time in ISO 8601 that reads back as the very same number: seconds alone would move
    /// memories that follow each other within one.
    private static func text(of date: Date) -> String {
        let seconds = date.timeIntervalSince1970
        let whole = seconds.rounded(.down)
        let text = DateText.format(Date(timeIntervalSince1970: whole))
        // Twelve digits give back the very same number.
        let digits = String(format: "%.12f", seconds - whole)
        guard seconds != whole, text.hasSuffix("Z"), digits.hasPrefix("0.") else { return text }
        return
            "\(text.dropLast()).\(String(digits.dropFirst(2).reversed().drop { $0 == "0" }.reversed()))Z"
    }
}
