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

    /// JSON with null in the place of NaN, Infinity and 1e999, which other writers use.
    ///
    /// - Complexity: O(*n*) in the length, with one copy of the data.
    private static func withStandardNumbers(_ data: Data) -> [UInt8] {
        let bytes = Array(String(decoding: data, as: UTF8.self).utf8)
        var result: [UInt8] = []
        var offset = 0
        var isString = false
        result.reserveCapacity(bytes.count)
        while offset < bytes.count {
            let byte = bytes[offset]
            var end = offset + 1
            if isString {
                if byte == UInt8(ascii: "\\") {
                    end = min(end + 1, bytes.count)
                } else {
                    isString = byte != UInt8(ascii: "\"")
                }
                result += bytes[offset..<end]
            } else if isWordByte(byte) {
                while end < bytes.count, isWordByte(bytes[end]) { end += 1 }
                result += isKept(bytes[offset..<end]) ? bytes[offset..<end] : Array("null".utf8)[...]
            } else {
                isString = byte == UInt8(ascii: "\"")
                result.append(byte)
            }
            offset = end
        }
        return result
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
    private static func isKept(_ word: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: word, as: UTF8.self)
        if ["NaN", "Infinity", "-Infinity", "+Infinity"].contains(text) { return false }
        guard let first = word.first, first == UInt8(ascii: "-") || (0x30...0x39).contains(first)
        else { return true }
        return Double(text)?.isFinite ?? true
    }
}
