import MnemeIndex

/// A word of a text in which phrases of a table are looked for: letters, a number, or one ideograph.
struct PhraseToken {
    /// Lower-cased; numbers keep what joins their digits: `2,5`.
    var text: Substring
    /// Where it stands in the text.
    var range: Range<String.Index>
    /// The number of its sentence.
    var sentence: Int

    /// Scalars of a word that are looked at.
    static let longest = 64

    /// A text as its words are compared: composed, in lower case, digits of any width as ASCII's.
    static func readable(_ text: some StringProtocol) -> String {
        TextFolding.normalized(String(text)).lowercased()
    }

    /// The words of a text or of a table's phrase.
    ///
    /// - Parameter text: ``readable(_:)``.
    /// - Complexity: linear.
    static func tokens(of text: String) -> [PhraseToken] {
        var tokens: [PhraseToken] = []
        var sentence = 0
        let scalars = text.unicodeScalars
        var i = scalars.startIndex
        while i < scalars.endIndex {
            let start = i
            let scalar = scalars[i]
            if scalar.isDigit {
                i = number(in: scalars, from: i)
            } else if scalar.isIdeographOrKana {
                i = scalars.index(after: i)
            } else if scalar.isWordPart {
                while i < scalars.endIndex, scalars[i].isWordPart, !scalars[i].isDigit,
                    !scalars[i].isIdeographOrKana
                {
                    i = scalars.index(after: i)
                }
            } else {
                i = scalars.index(after: i)
                if endsSentence(scalar, after: tokens.last?.text) { sentence += 1 }
                continue
            }
            // No word of a phrase is longer, and to compare a long run of marks would take long.
            let end = scalars.index(start, offsetBy: longest, limitedBy: i) ?? i
            tokens.append(PhraseToken(text: text[start..<end], range: start..<i, sentence: sentence))
        }
        return tokens
    }

    /// The end of a number: digits, and single marks between two of them.
    private static func number(in scalars: String.UnicodeScalarView, from start: String.Index) -> String.Index {
        var i = start
        while i < scalars.endIndex {
            if scalars[i].isDigit {
                i = scalars.index(after: i)
                continue
            }
            let next = scalars.index(after: i)
            guard [".", ",", "/", "-", ":"].contains(scalars[i]), next < scalars.endIndex, scalars[next].isDigit
            else { break }
            i = next
        }
        return i
    }

    /// True if no phrase goes on behind a mark. A stop behind one or two digits is an ordinal's: "8. Mai".
    private static func endsSentence(_ mark: Unicode.Scalar, after word: Substring?) -> Bool {
        if mark == "." {
            guard let word else { return false }
            return !(word.utf8.count <= 2 && word.utf8.allSatisfy { (48...57).contains($0) })
        }
        return ["!", "?", ";", "(", ")", "。", "！", "？"].contains(mark) || mark.isLineEnd
    }
}

extension Unicode.Scalar {
    /// True for letters that stand next to each other without spaces between words.
    var isIdeographOrKana: Bool {
        !isASCII && (properties.isIdeographic || isKana)
    }
    /// True for the letters of Japanese's syllabaries.
    var isKana: Bool { (0x3041...0x30FF).contains(value) }
}
