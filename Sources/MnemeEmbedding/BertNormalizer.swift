import Foundation
import NIOConcurrencyHelpers

/// Text clean-up and splitting of BERT tokenizers: control characters, accents, case, CJK and
/// punctuation.
///
/// Follows `BertNormalizer` and `BertPreTokenizer` of Hugging Face tokenizers scalar by scalar, in
/// their order: control characters vanish and blanks become spaces, CJK characters get spaces
/// around them, accents are stripped (NFD without marks), letters are lower-cased; then words end
/// at spaces, and punctuation stands alone. ASCII, nearly all of most texts, goes by a table.
struct BertNormalizer: Sendable {
    /// A scalar's effect on the words around it: it vanishes, ends a word, belongs to one, or is
    /// one by itself (punctuation, CJK).
    enum Class: UInt8 { case dropped, space, letter, alone }

    /// A scalar's replacement: its class, and the scalars that it becomes (already lower-cased and
    /// stripped; none if it vanishes).
    struct Replacement: Sendable {
        var kind: Class
        var scalars: [Unicode.Scalar]
    }

    /// The rules of `tokenizer_config.json`.
    let lowercase: Bool
    let stripAccents: Bool
    let splitCJK: Bool
    /// Class and lower-cased byte of the 128 ASCII characters.
    private let ascii: [(kind: Class, byte: UInt8)]

    init(lowercase: Bool, stripAccents: Bool, splitCJK: Bool) {
        self.lowercase = lowercase
        self.stripAccents = stripAccents
        self.splitCJK = splitCJK
        ascii = (UInt8(0)..<128).map { byte in
            switch byte {
            case 9, 10, 13, 32: return (.space, byte)
            case 0..<32, 127: return (.dropped, byte)
            case 33...47, 58...64, 91...96, 123...126: return (.alone, byte)
            case 65...90: return (.letter, lowercase ? byte + 32 : byte)
            default: return (.letter, byte)
            }
        }
    }

    /// Cuts `text` into words, as UTF-8, in order. A word is valid during the call alone.
    ///
    /// - Complexity: linear; one table look-up per ASCII byte.
    func forEachWord(_ text: Substring.UTF8View, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        var word: [UInt8] = []
        word.reserveCapacity(32)
        // Hands the word so far out, if there is one.
        func end() {
            guard !word.isEmpty else { return }
            word.withUnsafeBufferPointer(body)
            word.removeAll(keepingCapacity: true)
        }
        // Adds a scalar's replacement to the word, or ends it.
        func take(_ replacement: Replacement) {
            switch replacement.kind {
            case .dropped: break
            case .space: end()
            case .letter, .alone:
                if replacement.kind == .alone { end() }
                for scalar in replacement.scalars {
                    // What a letter becomes may itself be punctuation or a space.
                    let kind = replacement.kind == .alone ? .letter : Self.splitClass(scalar)
                    switch kind {
                    case .space, .dropped: end()
                    case .alone:
                        end()
                        word.append(contentsOf: UTF8.encode(scalar)!)
                        end()
                    case .letter: word.append(contentsOf: UTF8.encode(scalar)!)
                    }
                }
                if replacement.kind == .alone { end() }
            }
        }
        var iterator = text.makeIterator()
        var decoder = UTF8Decoder()
        while let byte = iterator.next() {
            if byte < 128 {
                let entry = ascii[Int(byte)]
                switch entry.kind {
                case .dropped: break
                case .space: end()
                case .letter: word.append(entry.byte)
                case .alone:
                    end()
                    word.append(entry.byte)
                    end()
                }
            } else if let scalar = decoder.feed(byte) {
                take(replacement(for: scalar))
            }
        }
        end()
    }

    // MARK: Beyond ASCII

    /// Replacements that were made before, of all normalizers: the key holds scalar and rules.
    /// Texts use few scalars beyond ASCII.
    private static let cache = NIOLockedValueBox<[UInt64: Replacement]>([:])

    /// From the cache, or made now. Complexity: one look-up under a lock.
    private func replacement(for scalar: Unicode.Scalar) -> Replacement {
        let key =
            UInt64(scalar.value) << 3 | (lowercase ? 1 : 0) | (stripAccents ? 2 : 0)
            | (splitCJK ? 4 : 0)
        if let known = Self.cache.withLockedValue({ $0[key] }) { return known }
        let result = makeReplacement(for: scalar)
        Self.cache.withLockedValue { cache in
            if cache.count > 20_000 { cache.removeAll() }
            cache[key] = result
        }
        return result
    }

    /// By the reference's steps: control characters go, CJK stands alone, then accents and case.
    private func makeReplacement(for scalar: Unicode.Scalar) -> Replacement {
        if scalar.value == 0xfffd || Self.isControl(scalar) {
            return Replacement(kind: .dropped, scalars: [])
        }
        if scalar.properties.isWhitespace { return Replacement(kind: .space, scalars: []) }
        if splitCJK && Self.isCJK(scalar) {
            return Replacement(kind: .alone, scalars: normalized(scalar))
        }
        return Replacement(kind: .letter, scalars: normalized(scalar))
    }

    /// Lower-cased, decomposed (NFD) and without marks, as the rules say.
    private func normalized(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        var scalars = [scalar]
        if stripAccents {
            scalars = String(scalar).decomposedStringWithCanonicalMapping.unicodeScalars
                .filter { Self.category($0) != .nonspacingMark }
        }
        if lowercase { scalars = scalars.flatMap { $0.properties.lowercaseMapping.unicodeScalars } }
        return scalars
    }

    /// BERT's punctuation: all ASCII symbols, and Unicode's punctuation categories.
    private static func splitClass(_ scalar: Unicode.Scalar) -> Class {
        if scalar.properties.isWhitespace { return .space }
        switch category(scalar) {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            return .alone
        default:
            return scalar.isASCII && "$+<=>^`|~".unicodeScalars.contains(scalar) ? .alone : .letter
        }
    }

    /// The category as the reference tokenizer knows it: its tables are of Unicode 8, and what came
    /// later counts as a plain letter there.
    private static func category(_ scalar: Unicode.Scalar) -> Unicode.GeneralCategory {
        if scalar.value == 0x166d { return .otherPunctuation }  // became a symbol in Unicode 12
        guard !scalar.isASCII, let age = scalar.properties.age, age.major > 8 else {
            return scalar.properties.generalCategory
        }
        return .otherLetter
    }

    /// Tab, newline and return count as blanks.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch category(scalar) {
        case .control, .format, .privateUse, .surrogate: true
        default: false
        }
    }

    /// The ranges of BERT's `_is_chinese_char`: ideographs, not kana or hangul.
    private static func isCJK(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x4e00...0x9fff, 0x3400...0x4dbf, 0x20000...0x2a6df, 0x2a700...0x2b73f,
            0x2b740...0x2b81f,
            0x2b920...0x2ceaf,
            0xf900...0xfaff, 0x2f800...0x2fa1f:
            true
        default: false
        }
    }
}

/// Decodes the multi-byte sequences of a valid UTF-8 view, byte by byte, without making a string.
private struct UTF8Decoder {
    private var value: UInt32 = 0
    private var missing = 0

    /// The scalar that ends with this byte; nil before its last byte.
    mutating func feed(_ byte: UInt8) -> Unicode.Scalar? {
        if byte & 0xc0 == 0x80 {
            value = value << 6 | UInt32(byte & 0x3f)
            missing -= 1
            return missing == 0 ? Unicode.Scalar(value) : nil
        }
        if byte >= 0xf0 {
            (value, missing) = (UInt32(byte & 0x07), 3)
        } else if byte >= 0xe0 {
            (value, missing) = (UInt32(byte & 0x0f), 2)
        } else {
            (value, missing) = (UInt32(byte & 0x1f), 1)
        }
        return nil
    }
}
