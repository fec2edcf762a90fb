import Foundation

/// Reads `model.vocab` of a `tokenizer.json`, an object of tokens and their ids.
///
/// Swift's dictionaries, which JSON readers make, take "é" and "e" with an accent for one key; they
/// are two tokens.
enum JSONVocabulary {
    /// The pairs in the order of the file; nil if there are none. `data` is sound JSON.
    static func read(_ data: Data) -> [(token: String, id: Int)]? {
        let bytes = [UInt8](data)
        var i = 0, path: [[UInt8]?] = [], key: [UInt8]?, pairs: [(String, Int)] = [], found = false
        let model = Array("model".utf8), vocabulary = Array("vocab".utf8)
        while i < bytes.count {
            let inside = path.count == 3 && path[1] == model && path[2] == vocabulary
            switch bytes[i] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                path.append(path.isEmpty ? nil : key)
                if path.count == 3, path[1] == model, path[2] == vocabulary {
                    found = bytes[i] == UInt8(ascii: "{")
                }
                key = nil
                i += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = path.popLast()
                key = nil
                i += 1
            case UInt8(ascii: "\""):
                let start = i
                i += 1
                while i < bytes.count, bytes[i] != UInt8(ascii: "\"") {
                    i += bytes[i] == UInt8(ascii: "\\") ? 2 : 1
                }
                i = min(i + 1, bytes.count)
                var next = i
                while next < bytes.count, [9, 10, 13, 32].contains(bytes[next]) { next += 1 }
                if next < bytes.count, bytes[next] == UInt8(ascii: ":") {
                    key = Array(bytes[start + 1..<max(start + 1, i - 1)])
                    i = next + 1
                }
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                let start = i
                while i < bytes.count, ![44, 125, 93, 9, 10, 13, 32].contains(bytes[i]) { i += 1 }
                if inside, let token = key.flatMap(text),
                    let id = Int(String(decoding: bytes[start..<i], as: UTF8.self))
                {
                    pairs.append((token, id))
                }
            default: i += 1
            }
        }
        return found ? pairs : nil
    }

    /// A string's text without its quotes.
    private static func text(_ raw: [UInt8]) -> String? {
        guard raw.contains(UInt8(ascii: "\\")) else {
            return String(validating: raw, as: UTF8.self)
        }
        return try? JSONDecoder().decode(
            String.self, from: Data([UInt8(ascii: "\"")] + raw + [UInt8(ascii: "\"")]))
    }
}
