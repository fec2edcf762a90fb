/// A word of a text in which dates are looked for.
struct TimeToken {
    /// Lower-cased, without a possessive ending; numbers keep what joins them: `31.12.2026`, `2026-w48`, `9:30`.
    var text: String
    var isCapital = false
    /// Whether a comma or the like stands behind it, or the sentence ends.
    var endsClause = false
    /// The number of its sentence.
    var sentence = 0

    /// Scalars of a word that are looked at: no word of a date is longer, and to compare a long run of marks would take long.
    private static let longest = 64

    /// The words of a text.
    ///
    /// - Complexity: linear in the text.
    static func tokens(of text: String) -> [TimeToken] {
        let scalars = Array(text.unicodeScalars)
        var tokens: [TimeToken] = [], word = String.UnicodeScalarView(), length = 0, sentence = 0
        func add(_ scalar: Unicode.Scalar) {
            length += 1
            if length <= longest { word.append(scalar) }
        }
        func endWord() {
            guard let first = word.first else { return }
            var text = String(word).lowercased()
            if text.hasSuffix("'s") { text.removeLast(2) }
            word.removeAll()
            length = 0
            guard !text.isEmpty else { return }
            tokens.append(TimeToken(text: text, isCapital: first.isUppercase, sentence: sentence))
        }
        for (i, scalar) in scalars.enumerated() {
            let next: Unicode.Scalar? = i + 1 < scalars.count ? scalars[i + 1] : nil
            if scalar.isWordPart {
                add(scalar)
            } else if !word.isEmpty, let next, joins(scalar, word, next) {
                add(scalar == "’" ? "'" : scalar)
            } else {
                endWord()
                guard let last = tokens.indices.last else { continue }
                if marksClause(scalar, before: next, after: i > 0 ? scalars[i - 1] : nil) {
                    tokens[last].endsClause = true
                } else if scalar == "!" || scalar == "?" || scalar == "\n" || scalar == "\r"
                    || scalar == "." && isFullStop(after: tokens[last].text, before: next)
                {
                    tokens[last].endsClause = true
                    if tokens[last].sentence == sentence { sentence += 1 }
                }
            }
        }
        endWord()
        return tokens
    }

    /// Whether a mark inside a word belongs to it.
    private static func joins(
        _ mark: Unicode.Scalar, _ word: String.UnicodeScalarView, _ next: Unicode.Scalar
    ) -> Bool {
        if mark == "'" || mark == "’" { return next.isWordPart }
        guard let last = word.last, last.isDigit else { return false }
        if mark == "-", next == "W" || next == "w" { return true }
        return next.isDigit && (mark == "." || mark == "/" || mark == "-" || mark == ":")
    }

    /// Whether a stop ends a sentence; it does not in "p.m." and "Dec. 24".
    private static func isFullStop(after word: String, before next: Unicode.Scalar?) -> Bool {
        guard let next else { return true }
        return !next.isWordPart && (word.utf8.count > 1 || Int(word) != nil) && !TimeWords.isAbbreviation(word)
    }

    private static func marksClause(
        _ mark: Unicode.Scalar, before next: Unicode.Scalar?, after previous: Unicode.Scalar?
    ) -> Bool {
        if mark == "-" { return previous?.isSpace ?? true && next?.isSpace ?? true }
        return mark == "," || mark == ";" || mark == ":" || mark == "(" || mark == ")" || mark == "—"
    }
}

extension Unicode.Scalar {
    /// An ASCII digit.
    var isDigit: Bool { (48...57).contains(value) }
}
