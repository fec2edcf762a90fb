/// SentencePiece's text normalization, before pieces are looked for: characters are replaced by a
/// map, spaces become "▁", and a space may be put before the text.
///
/// Follows `normalizer_spec` of SentencePiece's model files. `treat_whitespace_as_suffix` is not
/// supported.
package struct SentencePieceNormalizer: Sendable {
    /// Adds a space before the text (`add_dummy_prefix`), so that a word at its beginning is the
    /// same piece as within it.
    package var addsSpace: Bool
    /// Drops spaces at both ends and makes one of each run (`remove_extra_whitespaces`): on for T5
    /// and other unigram models, off for language models, which need indentation.
    package var collapsesSpaces: Bool
    /// Keeps one space of a run at the end of a text although runs become one.
    package var keepsEndSpace = false
    /// Replacements of characters, such as those of NFKC (`nmt_nfkc`); nil leaves them as they are.
    package var map: CharacterMap?

    /// Normalization of these steps; by default spaces stay and no character is replaced.
    package init(addsSpace: Bool, collapsesSpaces: Bool = false, map: CharacterMap? = nil) {
        self.addsSpace = addsSpace
        self.collapsesSpaces = collapsesSpaces
        self.map = map
    }

    /// UTF-8 of U+2581, the mark for a space: three bytes.
    private static let space = Array("▁".utf8)

    /// Normalized UTF-8 of a text's UTF-8, with "▁" for spaces. An empty text stays empty: no space
    /// is added to nothing. Complexity: linear.
    ///
    /// - Parameters:
    ///   - begins: a text begins here, so that a space may be put before.
    ///   - ends: the text ends here, so that spaces at its end may go.
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
        if collapsesSpaces, ends, wasSpace, !keepsEndSpace, !out.isEmpty { out.removeLast(3) }
        // Nothing but spaces: the one that stays is the one that is put before a text.
        if out.isEmpty, keepsEndSpace { return Self.space }
        return out.isEmpty || !(addsSpace && begins) ? out : Self.space + out
    }

    /// Map of characters, precompiled: a double-array trie (Aoe 1989) over what is replaced, and
    /// the replacements, ended by zeros.
    ///
    /// The file's author is not trusted: every index into the trie and the replacements is checked,
    /// and a map that points outside of itself replaces nothing there.
    ///
    /// Format: https://github.com/google/sentencepiece (`precompiled_charsmap`): the trie's size in
    /// bytes as a little-endian 32-bit number, the trie, the replacements.
    package struct CharacterMap: Sendable {
        /// Units of the trie, as in Darts-clone: the label in the lowest 8 bits, bit 8 for a key
        /// that ends here, bit 9 for an offset of larger steps, the offset in the upper 22; a leaf
        /// holds its value.
        private let units: [UInt32]
        /// Texts that are put in, each ended by a zero; values of the trie are positions in it.
        private let replacements: [UInt8]

        /// Reads a map; nil if the bytes are not such a map: too short, or a trie that is empty,
        /// longer than the bytes or not of whole units.
        package init?(_ bytes: [UInt8]) {
            guard bytes.count > 4 else { return nil }
            let size = bytes[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard size > 0, size % 4 == 0, size <= bytes.count - 4 else { return nil }
            units = (0..<size / 4).map { i in
                (0..<4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[4 + i * 4 + $1]) }
            }
            replacements = Array(bytes[(4 + size)...])
        }

        /// Replaces the longest known sequence at each position, from the left; a replacement is
        /// not replaced again. Complexity: O(text · longest key).
        package func apply(to text: [UInt8]) -> [UInt8] {
            var out: [UInt8] = []
            var i = 0
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

        /// Longest key of the trie that the text has at `start`: its bytes, and the position of its
        /// replacement; nil if there is none.
        private func longest(_ text: [UInt8], at start: Int) -> (length: Int, replacement: Int)? {
            /// Distance to the children: they stand at the unit's position XOR this XOR their
            /// label.
            func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 512) >> 6) }
            var place = offset(units[0])
            var found: (Int, Int)?
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
