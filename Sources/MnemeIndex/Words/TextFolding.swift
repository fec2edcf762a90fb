import Foundation

/// Rules by which two spellings are the same word: applied to what is indexed and to what is
/// asked, never to what is kept.
///
/// Text is brought to NFKC (Unicode Standard Annex #15), so that composed and decomposed letters,
/// full and half widths, ligatures and circled digits are the same; then case is folded (`ß` is
/// `ss`, `ς` is `σ`, `İ` and `ı` are `i`), digits of all scripts become those of ASCII, and letters
/// of Arabic script that writers use for each other become one. Accents stay: `cafe` is not `café`.
public enum TextFolding {
    /// The whole text with case folded, for comparing names. Of ASCII these are the lower-case
    /// letters.
    public static func folded(_ text: String) -> String {
        let text = normalized(text)
        guard !text.utf8.allSatisfy({ $0 < 0x80 }) else { return text.lowercased() }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars { append(scalar, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text as NFKC; in the Stream-Safe form, so that a letter has at most 30 marks.
    ///
    /// - Complexity: linear. Foundation takes a letter and its marks at a time: of a whole text its
    ///   time grows with the square.
    public static func normalized(_ text: String) -> String {
        guard !text.utf8.allSatisfy({ $0 < 0x80 }) else { return text }
        var bytes: [UInt8] = []
        var known: [String: String] = [:]
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.unicodeScalars[...]
        while let first = rest.first {
            var end = rest.index(after: rest.startIndex)
            var count = 1
            while end < rest.endIndex, count <= longestCluster, rest[end].joinsBefore {
                end = rest.index(after: end)
                count += 1
            }
            let cluster = rest[..<end]
            rest = rest[end...]
            if count == 1, first.isNormal {
                append(utf8: first, to: &bytes)
            } else if first.isMarkOfTrade {
                // It would become two letters at the end of a name.
                bytes.append(UInt8(ascii: " "))
            } else {
                let cluster = String(cluster)
                let form = known[cluster] ?? compose(cluster)
                if known.count < 10_000 { known[cluster] = form }
                bytes.append(contentsOf: form.utf8)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes a character in UTF-8, without a string for each.
    private static func append(utf8 scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
        if let encoded = UTF8.encode(scalar) { bytes.append(contentsOf: encoded) }
    }

    /// Scalars that are composed at once, after Unicode's Stream-Safe Text Format (UAX #15, section
    /// 13): no bound on marks would make composing quadratic.
    private static let longestCluster = 30

    /// Compatibility composition (NFKC) of one character with its marks.
    private static func compose(_ cluster: String) -> String {
        // Marks of half width compose only in a second step.
        cluster.precomposedStringWithCompatibilityMapping.precomposedStringWithCanonicalMapping
    }

    /// Appends a letter or digit of normalised text as it is compared.
    static func append(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
        let properties = scalar.properties
        if scalar.isASCII {
            bytes.append(
                (65...90).contains(scalar.value) ? UInt8(scalar.value) + 32 : UInt8(scalar.value))
        } else if properties.numericType == .decimal, let digit = properties.numericValue,
            (0...9).contains(digit)
        {
            bytes.append(48 + UInt8(digit))
        } else if let same = sameLetters[scalar] {
            append(utf8: same, to: &bytes)
        } else if properties.isCased {
            // By way of capitals, in which letters with several small forms agree.
            for capital in properties.uppercaseMapping.unicodeScalars {
                bytes += capital.properties.lowercaseMapping.utf8
            }
        } else {
            append(utf8: scalar, to: &bytes)
        }
    }

    /// Letters that writers use for each other.
    private static let sameLetters: [Unicode.Scalar: Unicode.Scalar] = [
        "\u{0130}": "i",
        // Alef with and without hamza; yeh and kaf as Arabic, Persian and Urdu keyboards write
        // them.
        "\u{0622}": "\u{0627}", "\u{0623}": "\u{0627}", "\u{0625}": "\u{0627}",
        "\u{0671}": "\u{0627}",
        "\u{0649}": "\u{064A}", "\u{06CC}": "\u{064A}", "\u{06A9}": "\u{0643}",
    ]
}

extension Unicode.Scalar {
    /// The marks of trade and service: NFKC makes `TM` and `SM` of them.
    fileprivate var isMarkOfTrade: Bool { value == 0x2122 || value == 0x2120 }

    /// True if the scalar may compose with what stands before it.
    fileprivate var joinsBefore: Bool {
        switch value {
        case ..<0x300: return false
        case 0x300...0x36F, 0x1160...0x11FF, 0xFF9E...0xFF9F: return true
        case 0x3041...0x3096, 0x30A1...0x30FA, 0x4E00...0x9FFF, 0xAC00...0xD7A3: return false
        default: break
        }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return true
        default: return false
        }
    }

    /// Letters and marks of punctuation that are common and are NFKC by themselves.
    fileprivate var isNormal: Bool {
        switch value {
        case ..<0x80, 0xC0...0xFF, 0x0400...0x052F, 0x2012...0x2016, 0x2018...0x2023,
            0x3041...0x3096, 0x30A1...0x30FA, 0x4E00...0x9FFF, 0xAC00...0xD7A3:
            true
        default: false
        }
    }
}
