package import Foundation

/// Bytes as lower-case hexadecimal digits.
package enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Two digits for each byte, lower case.
    package static func string(_ bytes: some Sequence<UInt8>) -> String {
        String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// - Returns: nil unless there are two digits for each byte, none of them upper-case: one text
    ///   for the same bytes.
    package static func bytes(_ text: some StringProtocol) -> Data? {
        let values = text.utf8.map(value)
        guard values.count % 2 == 0 else { return nil }
        var data = Data(capacity: values.count / 2)
        for i in stride(from: 0, to: values.count, by: 2) {
            guard let high = values[i], let low = values[i + 1] else { return nil }
            data.append(high << 4 | low)
        }
        return data
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
