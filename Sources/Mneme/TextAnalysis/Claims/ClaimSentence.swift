import Foundation

/// A sentence that states something, cut into words, with what rules for claims ask of it.
struct ClaimSentence {
    /// A word of a sentence.
    struct Token {
        /// The word as written, without marks around it.
        var text: Substring
        /// The word in lower case, with a straight apostrophe.
        var lower: String
        /// True if a comma or the like stands behind it.
        var endsClause: Bool
        /// True if it begins with a capital letter.
        var isCapital: Bool { text.unicodeScalars.first?.isUppercase ?? false }
        /// The word without `'s`, if it has one.
        var possessor: String? {
            for end in ["'s", "’s"] where lower.hasSuffix(end) && lower.count > 2 {
                return String(lower.dropLast(2))
            }
            return nil
        }
    }

    /// The words in order.
    let tokens: [Token]
    /// The speaker, whom "I" means, in lower case.
    let speaker: String
    /// True if there is no capital at all: who writes none writes names without them, too.
    let isLower: Bool

    /// - Parameter tokens: at least one.
    init(_ tokens: [Token], speaker: String) {
        self.tokens = tokens
        self.speaker = speaker
        isLower = !tokens.contains(where: \.isCapital)
    }

    /// Sentences that state something, cut into words.
    ///
    /// - Parameter speaker: whom "I" means, in lower case.
    /// - Complexity: linear in the text.
    static func sentences(of text: String, speaker: String) -> [ClaimSentence] {
        var sentences: [ClaimSentence] = []
        var tokens: [Token] = []
        for line in text.unicodeScalars.split(whereSeparator: \.isLineEnd) {
            for raw in line.split(separator: " ") {
                let word = Substring(raw.trimming { !$0.isWordPart && $0 != "+" && $0 != "#" })
                let mark = raw.last { !"\"')”’".unicodeScalars.contains($0) }
                if !word.isEmpty {
                    let lower = word.lowercased()
                    tokens.append(
                        Token(
                            text: word,
                            lower: lower.utf8.contains(0xE2)
                                ? lower.replacing("’", with: "'") : lower,
                            endsClause: mark == "," || mark == ":" || mark == ")"))
                }
                if mark == "?" {
                    tokens = []
                } else if mark == "." || mark == "!" || mark == ";" {
                    if !tokens.isEmpty { sentences.append(ClaimSentence(tokens, speaker: speaker)) }
                    tokens = []
                }
            }
            if !tokens.isEmpty { sentences.append(ClaimSentence(tokens, speaker: speaker)) }
            tokens = []
        }
        return sentences
    }

    /// True if words stand at a place, side by side in one clause.
    func starts(at index: Int, with words: [String]) -> Bool {
        index + words.count <= tokens.count
            && words.indices.allSatisfy {
                tokens[index + $0].lower == words[$0]
                    && !($0 + 1 < words.count && tokens[index + $0].endsClause)
            }
    }
}
