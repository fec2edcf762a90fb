/// A search for many short texts in one text, byte by byte. Most are ruled out by a byte that the
/// text does not hold, before any comparison.
struct ByteSearch {
    /// The text in UTF-8; searches compare bytes.
    private let bytes: [UInt8]
    /// The bytes that occur at all: most texts that are looked for have one that does not.
    private let present: ByteSet

    init(_ text: String) { self.init(Array(text.utf8)) }
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        present = ByteSet(bytes)
    }

    /// Of a text with the letters of ASCII in lower case.
    init(lowercased text: String) {
        self.init(text.utf8.map { (65...90).contains($0) ? $0 | 32 : $0 })
    }

    /// The number of ASCII digits in the text.
    var digitCount: Int {
        var count = 0
        for byte in bytes where (48...57).contains(byte) { count += 1 }
        return count
    }

    /// - Complexity: O(length), with a comparison wherever the first byte stands.
    func contains(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { wanted in
            guard wanted.allSatisfy(present.contains) else { return false }
            return bytes.withUnsafeBufferPointer { $0.count(of: wanted, atMost: 1) > 0 }
        }
    }
}

/// A set of bytes, as bits.
private struct ByteSet {
    /// One bit for each value of a byte: whether it stands in the text.
    private var bits: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init(_ bytes: [UInt8]) {
        for byte in bytes {
            let bit: UInt64 = 1 << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: bits.0 |= bit
            case 1: bits.1 |= bit
            case 2: bits.2 |= bit
            default: bits.3 |= bit
            }
        }
    }

    /// Membership of a byte: it stands somewhere in the text.
    func contains(_ byte: UInt8) -> Bool {
        let bit: UInt64 = 1 << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: return bits.0 & bit != 0
        case 1: return bits.1 & bit != 0
        case 2: return bits.2 & bit != 0
        default: return bits.3 & bit != 0
        }
    }
}
