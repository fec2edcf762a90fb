import Foundation

/// Bytes of a file as text and as JSON, read leniently where that loses nothing but what is broken.
enum ImportText {
    /// Takes a byte order mark away.
    ///
    /// - Throws: `InputError` for UTF-16 and UTF-32.
    static func withoutMark(_ data: Data, _ name: String) throws -> Data {
        let head = Array(data.prefix(4))
        if head.starts(with: [0xEF, 0xBB, 0xBF]) { return Data(data.dropFirst(3)) }
        let isWide =
            head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF])
            || head == [0, 0, 0xFE, 0xFF]
        // JSON and prose have a character of one byte among the first two.
        guard !isWide, !(head.count >= 2 && (head[0] == 0) != (head[1] == 0)) else {
            throw InputError("\(name) is UTF-16 or UTF-32 text, or no text. Save it as UTF-8.")
        }
        return data
    }

    /// Reads text that must be right.
    static func text(_ data: Data, _ name: String) throws -> String {
        guard let text = String(data: data, encoding: .utf8) else {
            throw InputError("\(name) is not UTF-8 text. Save it as UTF-8.")
        }
        return text
    }

    /// Reads JSON. Bytes that are no UTF-8 and half of a surrogate pair become U+FFFD, a number
    /// that no `Double` holds becomes null.
    ///
    /// - Throws: `InputError` that says where the text stops being JSON.
    static func json(_ data: Data) throws -> JSONValue { try JSONValue(parsing: withStandardNumbers(data)) }

    /// The first characters that are no space.
    static func start(_ data: Data) -> (first: UInt8?, second: UInt8?) {
        var found = data.lazy.filter { $0 > 32 }.makeIterator()
        return (found.next(), found.next())
    }

    // MARK: Mending

    /// JSON with null in the place of NaN, Infinity and 1e999, which other writers use, and U+FFFD in
    /// that of bytes that are no UTF-8.
    ///
    /// - Complexity: O(*n*) in the length, with one copy of the data, and a second one where something
    ///   is replaced.
    private static func withStandardNumbers(_ data: Data) -> [UInt8] {
        let isText = data.withUnsafeBytes { String(validating: $0, as: UTF8.self) } != nil
        let bytes = isText ? Array(data) : Array(String(decoding: data, as: UTF8.self).utf8)
        let wrong = bytes.withUnsafeBufferPointer(nonstandardWords)
        guard !wrong.isEmpty else { return bytes }
        var result: [UInt8] = []
        var end = 0
        for word in wrong {
            result += bytes[end..<word.lowerBound]
            result += "null".utf8
            end = word.upperBound
        }
        return result + bytes[end...]
    }

    /// The places of words outside of strings that stand for numbers which JSON does not know.
    private static func nonstandardWords(_ bytes: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var offset = 0
        while offset < bytes.count {
            let start = offset
            offset += 1
            if bytes[start] == UInt8(ascii: "\"") {
                while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
                    offset += bytes[offset] == UInt8(ascii: "\\") ? 2 : 1
                }
                offset += 1
            } else if isWordByte(bytes[start]) {
                while offset < bytes.count, isWordByte(bytes[offset]) { offset += 1 }
                if !isKept(bytes[start..<offset]) { found.append(start..<offset) }
            }
        }
        return found
    }

    /// True for a byte of a number or a bare word of JSON.
    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// True for a word outside of strings that is JSON as it stands; malformed words are kept, too,
    /// so that the parser reports them at their place.
    private static func isKept(_ word: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        // A number without an exponent, and not longer than any that a `Double` holds.
        if word.count <= 300, word.allSatisfy({ (0x2D...0x39).contains($0) }) { return true }
        let text = String(decoding: word, as: UTF8.self)
        if ["NaN", "Infinity", "-Infinity", "+Infinity"].contains(text) { return false }
        guard let first = word.first, first == UInt8(ascii: "-") || (0x30...0x39).contains(first)
        else { return true }
        return Double(text)?.isFinite ?? true
    }
}
