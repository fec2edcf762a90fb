import Foundation
import NIOConcurrencyHelpers

/// The identity of a cube: a UUID of version 7 (RFC 9562), so that ids sort by time of creation.
public struct CubeID: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    /// 36 characters, lower case.
    public let description: String

    /// The last stamp given out, in units of 1/4096 ms.
    private static let last = NIOLockedValueBox<UInt64>(0)

    /// A new id, later than every id made before it in this process.
    public init() {
        // 48 bits of milliseconds and 12 bits that count within one.
        let now = UInt64(Date().timeIntervalSince1970 * 1000) << 12
        let stamp = Self.last.withLockedValue { last in
            last = max(last + 1, now)
            return last
        }
        let random = UInt64.random(in: 0..<(1 << 62)) | (1 << 63)
        let high = (stamp >> 12) << 16 | 0x7000 | (stamp & 0xfff)
        description = String(unsafeUninitializedCapacity: 36) { text in
            let digits = Array("0123456789abcdef".utf8)
            var offset = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    text[offset] = UInt8(ascii: "-")
                    offset += 1
                }
                text[offset] =
                    digits[Int((nibble < 16 ? high : random) >> UInt64(60 - nibble % 16 * 4) & 15)]
                offset += 1
            }
            return 36
        }
    }

    /// - Returns: nil if `text` is not a UUID.
    public init?(_ text: String) {
        guard text.utf8.count == 36, let uuid = UUID(uuidString: text) else { return nil }
        description = uuid.uuidString.lowercased()
    }

    /// An id that the store wrote itself, or an index of it.
    package init(stored text: String) { description = text }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = CubeID(text) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "'\(text.prefix(60))' is not a memory id."))
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Earlier ids are less, as their text begins with the time.
    public static func < (a: CubeID, b: CubeID) -> Bool { a.description < b.description }
}
