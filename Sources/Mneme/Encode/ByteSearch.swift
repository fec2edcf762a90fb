/// Looks for short texts in one text, byte by byte.
struct ByteSearch {
    private let bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Complexity: O(length), with a comparison wherever the first byte stands.
    func contains(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { wanted in
            bytes.withUnsafeBufferPointer { bytes in
                guard wanted.count <= bytes.count else { return false }
                return (0...bytes.count - wanted.count).contains { start in
                    bytes[start] == wanted[0] && wanted.indices.allSatisfy { bytes[start + $0] == wanted[$0] }
                }
            }
        }
    }
}
