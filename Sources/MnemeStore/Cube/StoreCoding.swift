package import Foundation

/// JSON and times as they lie in a store.
package enum StoreCoding {
    /// A value as JSON with sorted keys, so that equal values give equal texts.
    package static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .secondsSince1970
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Seconds either way of 1970 that a time can have: beyond, calendars do not count.
    package static let times = -4e15...4e15

    /// A time of the store.
    ///
    /// - Throws: ``StoreError`` if it is none.
    package static func time(_ seconds: Double) throws -> Date {
        guard times.contains(seconds) else {
            throw StoreError(.corrupt, "A time of the store is out of range. Run `mneme doctor`.")
        }
        return Date(timeIntervalSince1970: seconds)
    }

    /// A value of a row. Decoding errors name no texts: what is in a row is its owner's alone.
    ///
    /// - Throws: ``StoreError`` if the text is not such a value, or a time of it is out of range.
    package static func decode<T: Decodable>(_ type: T.Type, _ json: String) throws -> T {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom {
            try time($0.singleValueContainer().decode(Double.self))
        }
        do { return try decoder.decode(type, from: Data(json.utf8)) } catch {
            throw StoreError(.corrupt, "A record of the store cannot be read. Run `mneme doctor`.")
        }
    }
}
