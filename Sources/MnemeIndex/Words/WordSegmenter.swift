/// Cuts text into words for the index, see ``TextAnalyzer/words(_:)``.
///
/// Runs of letters and digits are words. Scripts that part no words by spaces (Han, kana, Thai,
/// Lao, Khmer, Burmese), and Hangul, whose particles stand at the word, are cut into overlapping
/// pairs of letters, as Lucene's `CJKBigramFilter` does; each ideograph and Hangul syllable is a
/// word besides. An emoji is a word: without its colour and style, a flag as a whole, a sequence as
/// a whole and each of its parts.
struct WordSegmenter {
    /// Bytes; longer words are cut, so that nothing is lost but that they are one.
    private static let longestWord = 64
    private static let joiner: Unicode.Scalar = "\u{200D}"

    /// Words that have ended, in the text's order.
    private var words: [String] = []
    /// The word that is being read, in UTF-8.
    private var word: [UInt8] = []
    /// Where the last apostrophe stood in the word.
    private var apostrophe = -1
    /// The letter before, if it is one of those that are taken in pairs.
    private var paired: (letter: Unicode.Scalar, isSecond: Bool)?
    /// The emoji that is being read, with the joiners in it.
    private var emoji: [Unicode.Scalar] = []

    /// The words of a text, in its order. Their case is folded, and they are in NFKC.
    ///
    /// - Complexity: linear.
    static func words(of text: String) -> [String] {
        var segmenter = WordSegmenter()
        for scalar in TextFolding.normalized(text).unicodeScalars { segmenter.take(scalar) }
        segmenter.end()
        return segmenter.words
    }

    /// Tells whether a word is a single letter that is a word beside its pairs: an ideograph or a
    /// Hangul syllable.
    static func isLetterAlone(_ word: String) -> Bool {
        guard let letter = word.unicodeScalars.first, !letter.isASCII,
            word.unicodeScalars.count == 1
        else {
            return false
        }
        return letter.isWordAlone
    }

    /// Reads the next character: it goes on with the word, or ends it.
    private mutating func take(_ scalar: Unicode.Scalar) {
        if scalar.isASCII {
            if paired != nil || !emoji.isEmpty { end() }
            switch scalar.value {
            case 97...122, 48...57: word.append(UInt8(scalar.value))
            case 65...90: word.append(UInt8(scalar.value) + 32)
            case 39 where !word.isEmpty: apostrophe = word.count
            default: end()
            }
        } else {
            takeOther(scalar)
        }
        if word.count >= Self.longestWord { end() }
    }

    /// Reads a character outside of ASCII.
    private mutating func takeOther(_ scalar: Unicode.Scalar) {
        let properties = scalar.properties
        if scalar.value == 0x2019 || scalar.value == 0x02BC, !word.isEmpty {
            apostrophe = word.count
        } else if takesEmoji(scalar) {
            return
        } else if scalar.isUnwritten {
            return
        } else if scalar.isPaired {
            if !word.isEmpty || !emoji.isEmpty { end() }
            pair(scalar)
        } else if properties.isAlphabetic || properties.numericType != nil {
            if paired != nil || !emoji.isEmpty { end() }
            TextFolding.append(scalar, to: &word)
        } else {
            end()
        }
    }

    /// Ends the word that is being read.
    private mutating func end() {
        if apostrophe >= 0, word.count == apostrophe + 1, word.last == UInt8(ascii: "s") {
            word.removeLast()
        }
        apostrophe = -1
        if !word.isEmpty {
            words.append(String(decoding: word, as: UTF8.self))
            word.removeAll(keepingCapacity: true)
        }
        if let (letter, isSecond) = paired, !isSecond || letter.isWordAlone {
            words.append(String(letter))
        }
        paired = nil
        if !emoji.isEmpty { endEmoji() }
    }

    /// Reads a letter of a script without spaces: with the one before it makes a word.
    private mutating func pair(_ letter: Unicode.Scalar) {
        if let (before, _) = paired {
            words.append(String(String.UnicodeScalarView([before, letter])))
            if before.isWordAlone { words.append(String(before)) }
        }
        paired = (letter, paired != nil)
    }

    // MARK: Emoji

    /// - Returns: whether the scalar is an emoji or a part of one.
    private mutating func takesEmoji(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1F3FB...0x1F3FF where !emoji.isEmpty: return true
        case 0x200D where !emoji.isEmpty, 0xE0020...0xE007E where !emoji.isEmpty:
            emoji.append(scalar)
        case 0x1F1E6...0x1F1FF:
            // Two letters are a flag.
            if emoji.count != 1 || !(0x1F1E6...0x1F1FF).contains(emoji[0].value) { end() }
            emoji.append(scalar)
            if emoji.count == 2 { end() }
        default:
            guard scalar.properties.isEmoji, scalar.value > 0xFF else { return false }
            if emoji.last != Self.joiner { end() }
            emoji.append(scalar)
        }
        return true
    }

    /// Ends the emoji that is being read: a word for all of it, and for each part of a sequence.
    private mutating func endEmoji() {
        while emoji.last == Self.joiner { emoji.removeLast() }
        words.append(String(String.UnicodeScalarView(emoji)))
        let parts = emoji.split(separator: Self.joiner)
        if parts.count > 1 {
            for part in parts { words.append(String(String.UnicodeScalarView(part))) }
        }
        emoji.removeAll(keepingCapacity: true)
    }
}

extension Unicode.Scalar {
    /// Marks at or between letters that part no word: marks that are not letters, points of
    /// Arabic and Hebrew, soft hyphens, joiners, marks of direction. (The zero-width space does
    /// part words.)
    fileprivate var isUnwritten: Bool {
        switch value {
        case 0x200B: return false
        case 0x0591...0x05C7, 0x0610...0x061A, 0x0640, 0x064B...0x065F, 0x0670, 0x06D6...0x06DC,
            0x06DF...0x06E8,
            0x06EA...0x06ED, 0x08D3...0x08FF:
            return properties.generalCategory == .nonspacingMark || value == 0x0640
        default: break
        }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return !properties.isAlphabetic
        case .format: return true
        default: return false
        }
    }

    /// A letter of a script that is taken in pairs.
    fileprivate var isPaired: Bool {
        switch value {
        case ..<0x0E00: return false
        // Digits of these scripts are digits.
        case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0xA9E0...0xA9FE, 0xAA60...0xAA7F:
            return properties.isAlphabetic && properties.numericType == nil
        case 0x1100...0x11FF, 0x3005...0x3007, 0x3041...0x3096, 0x309D...0x309F, 0x30A1...0x30FA,
            0x30FC...0x30FF,
            0x3105...0x312F, 0x3131...0x318E,
            0x31A0...0x31BF, 0x31F0...0x31FF, 0xA960...0xA97C, 0xAC00...0xD7FB, 0x1AFF0...0x1B16F:
            return true
        default: return properties.isIdeographic
        }
    }

    /// An ideograph or a Hangul syllable: often a word by itself.
    fileprivate var isWordAlone: Bool {
        (0xAC00...0xD7A3).contains(value) || properties.isIdeographic
    }
}
