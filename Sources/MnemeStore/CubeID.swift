import Foundation
import Synchronization

/// The identity of a cube: a UUID of version 7 (RFC 9562), so that ids sort by time of creation.
public struct CubeID: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    /// 36 characters, lower case.
    public let description: String

    private static let last = Mutex<UInt64>(0)

    /// A new id, later than every id made before it in this process.
    public init() {
        // 48 bits of milliseconds and 12 bits that count within one.
        let now = UInt64(Date().timeIntervalSince1970 * 1000) << 12
        let stamp = Self.last.withLock { last in
            last = max(last + 1, now)
            return last
        }
        let random = UInt64.random(in: 0..<(1 << 62)) | (1 << 63)
        let high = (stamp >> 12) << 16 | 0x7000 | (stamp & 0xfff)
        let digits = String(format: "%016llx%016llx", high, random)
        var text = ""
        for (i, digit) in digits.enumerated() {
            if i == 8 || i == 12 || i == 16 || i == 20 { text.append("-") }
            text.append(digit)
        }
        description = text
    }

    /// - Returns: nil if `text` is not a UUID.
    public init?(_ text: String) {
        guard text.utf8.count == 36, let uuid = UUID(uuidString: text) else { return nil }
        description = uuid.uuidString.lowercased()
    }

    /// An id that the store wrote itself.
    init(stored text: String) { description = text }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = CubeID(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "'\(text.prefix(60))' is not a memory id."))
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public static func < (a: CubeID, b: CubeID) -> Bool { a.description < b.description }
}
