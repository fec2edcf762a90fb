/// A word of a text in which dates are looked for.
struct TimeToken {
    /// Lower-cased, without a possessive ending; numbers keep what joins them: `31.12.2026`,
    /// `2026-w48`, `9:30`.
    var text: String
    /// True if it begins with a capital letter in the text.
    var isCapital = false
    /// True if a comma or the like stands behind it, or the sentence ends.
    var endsClause = false
    /// The number of its sentence.
    var sentence = 0

    /// Scalars of a word that are looked at: no word of a date is longer, and to compare a long run
    /// of marks would take long.
    private static let longest = 64

    /// The words of a text.
    ///
    /// - Complexity: linear in the text.
    static func tokens(of text: String) -> [TimeToken] {
        var tokens: [TimeToken] = []
        var word = Word()
        var sentence = 0
        func endWord() {
            guard word.length > 0 else { return }
            if let token = word.token(sentence) { tokens.append(token) }
            word.removeAll()
        }
        var previous: Unicode.Scalar?
        var rest = text.unicodeScalars.makeIterator()
        var following = rest.next()
        while let scalar = following {
            following = rest.next()
            defer { previous = scalar }
            if scalar.isWordPart {
                word.append(scalar)
            } else if let last = word.last, let next = following, joins(scalar, last, next) {
                word.append(scalar == "’" ? "'" : scalar)
            } else {
                endWord()
                // White space within a line says nothing of sentences.
                guard scalar != " ", let last = tokens.indices.last else { continue }
                if marksClause(scalar, before: following, after: previous) {
                    tokens[last].endsClause = true
                } else if scalar == "!" || scalar == "?" || scalar == "\n" || scalar == "\r"
                    || scalar == "." && isFullStop(after: tokens[last].text, before: following)
                {
                    tokens[last].endsClause = true
                    if tokens[last].sentence == sentence { sentence += 1 }
                }
            }
        }
        endWord()
        return tokens
    }

    /// A word that is being read, in lower case.
    private struct Word {
        /// Scalars of the word, those beyond ``longest`` included.
        private(set) var length = 0
        /// The last scalar that is kept, as it stands in the text.
        private(set) var last: Unicode.Scalar?
        /// True if its first scalar was a capital.
        private var isCapital = false
        /// Its scalars in lower case, as far as they are kept.
        private var utf8: [UInt8] = []

        /// Adds a scalar; beyond the longest word it is only counted.
        mutating func append(_ scalar: Unicode.Scalar) {
            if length == 0 { isCapital = scalar.isUppercase }
            length += 1
            guard length <= longest else { return }
            last = scalar
            if scalar.isASCII {
                utf8.append(UInt8(scalar.value) | ((65...90).contains(scalar.value) ? 32 : 0))
            } else {
                var lower: [Unicode.Scalar] = []
                scalar.appendLowercase(to: &lower)
                utf8 += lower.utf8
            }
        }

        /// Begins the next word.
        mutating func removeAll() {
            (length, last) = (0, nil)
            utf8.removeAll(keepingCapacity: true)
        }

        /// The word as a token; nil if nothing is left of it.
        func token(_ sentence: Int) -> TimeToken? {
            let isPossessive =
                utf8.count >= 2 && utf8[utf8.count - 2] == 39 && utf8[utf8.count - 1] == 115
            let text = String(decoding: isPossessive ? utf8.dropLast(2) : utf8[...], as: UTF8.self)
            return text.isEmpty
                ? nil : TimeToken(text: text, isCapital: isCapital, sentence: sentence)
        }
    }

    /// True if a mark inside a word belongs to it.
    private static func joins(
        _ mark: Unicode.Scalar, _ last: Unicode.Scalar, _ next: Unicode.Scalar
    ) -> Bool {
        if mark == "'" || mark == "’" { return next.isWordPart }
        guard last.isDigit else { return false }
        if mark == "-", next == "W" || next == "w" { return true }
        return next.isDigit && (mark == "." || mark == "/" || mark == "-" || mark == ":")
    }

    /// True if a stop ends a sentence; it does not in "p.m." and "Dec. 24".
    private static func isFullStop(after word: String, before next: Unicode.Scalar?) -> Bool {
        guard let next else { return true }
        return !next.isWordPart && (word.utf8.count > 1 || Int(word) != nil)
            && !TimeWords.isAbbreviation(word)
    }

    /// True if a sign ends a clause, and does not stand within a number or a time.
    private static func marksClause(
        _ mark: Unicode.Scalar, before next: Unicode.Scalar?, after previous: Unicode.Scalar?
    ) -> Bool {
        if mark == "-" { return previous?.isSpace ?? true && next?.isSpace ?? true }
        return mark == "," || mark == ";" || mark == ":" || mark == "(" || mark == ")"
            || mark == "—"
    }
}
