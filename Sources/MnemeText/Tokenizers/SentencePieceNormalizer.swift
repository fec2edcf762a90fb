/// What SentencePiece does to text before it looks for pieces.
package struct SentencePieceNormalizer: Sendable {
    /// Whether text begins with a space that was not there.
    package var addsSpace: Bool
    /// Whether spaces at the ends are dropped, and runs become one.
    package var collapsesSpaces: Bool
    /// Replacements of characters, such as those of NFKC.
    package var map: CharacterMap?

    package init(addsSpace: Bool, collapsesSpaces: Bool = false, map: CharacterMap? = nil) {
        self.addsSpace = addsSpace
        self.collapsesSpaces = collapsesSpaces
        self.map = map
    }

    private static let space = Array("▁".utf8)

    /// UTF-8 to UTF-8, spaces as "▁".
    ///
    /// - Parameters:
    ///   - begins: whether a text begins here, so that a space may be put before.
    ///   - ends: whether it ends here.
    func normalize(_ text: [UInt8], begins: Bool, ends: Bool) -> [UInt8] {
        let mapped = map?.apply(to: text) ?? text
        guard !mapped.isEmpty else { return [] }
        var out: [UInt8] = []
        out.reserveCapacity(mapped.count + 3)
        var wasSpace = collapsesSpaces && begins
        for byte in mapped {
            if byte == 32 {
                if !wasSpace || !collapsesSpaces { out += Self.space }
                wasSpace = true
            } else {
                out.append(byte)
                wasSpace = false
            }
        }
        if collapsesSpaces, ends, wasSpace, !out.isEmpty { out.removeLast(3) }
        return out.isEmpty || !(addsSpace && begins) ? out : Self.space + out
    }

    /// A precompiled map: a double-array trie (Aoe 1989) over what is replaced, and the
    /// replacements, ended by zeros.
    ///
    /// Format: https://github.com/google/sentencepiece (`precompiled_charsmap`).
    package struct CharacterMap: Sendable {
        private let units: [UInt32]
        private let replacements: [UInt8]

        /// nil if the bytes are not such a map.
        package init?(_ bytes: [UInt8]) {
            guard bytes.count > 4 else { return nil }
            let size = bytes[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard size > 0, size % 4 == 0, size <= bytes.count - 4 else { return nil }
            units = (0..<size / 4).map { i in
                (0..<4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[4 + i * 4 + $1]) }
            }
            replacements = Array(bytes[(4 + size)...])
        }

        /// Replaces the longest known sequence at each place.
        package func apply(to text: [UInt8]) -> [UInt8] {
            var out: [UInt8] = [], i = 0
            out.reserveCapacity(text.count)
            while i < text.count {
                if let (length, replacement) = longest(text, at: i) {
                    out += replacements[replacement...].prefix { $0 != 0 }
                    i += length
                } else {
                    out.append(text[i])
                    i += 1
                    // The rest of a character has no replacement of its own.
                    while i < text.count, text[i] & 0xc0 == 0x80 {
                        out.append(text[i])
                        i += 1
                    }
                }
            }
            return out
        }

        private func longest(_ text: [UInt8], at start: Int) -> (length: Int, replacement: Int)? {
            func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 512) >> 6) }
            var place = offset(units[0]), found: (Int, Int)?
            for i in start..<text.count {
                place ^= Int(text[i])
                guard units.indices.contains(place), units[place] & 0x8000_00ff == UInt32(text[i])
                else { break }
                let unit = units[place]
                place ^= offset(unit)
                if unit >> 8 & 1 == 1 {
                    guard units.indices.contains(place) else { break }
                    let value = Int(units[place] & 0x7fff_ffff)
                    if replacements.indices.contains(value) { found = (i - start + 1, value) }
                }
            }
            return found
        }
    }
}
