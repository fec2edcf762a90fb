package import Foundation

/// Bytes as lower-case hexadecimal digits.
package enum Hexadecimal {
    package static func string(_ bytes: some Sequence<UInt8>) -> String { bytes.map { String(format: "%02x", $0) }.joined() }

    /// - Returns: nil unless there are two digits for each byte, none of them upper-case: one text for the same bytes.
    package static func bytes(_ text: String) -> Data? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue.map(UInt8.init) }
        guard digits.count % 2 == 0, digits.allSatisfy({ $0 != nil }), text == text.lowercased() else { return nil }
        return Data(stride(from: 0, to: digits.count, by: 2).map { digits[$0]! << 4 | digits[$0 + 1]! })
    }
}
