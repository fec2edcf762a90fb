import Foundation

/// Questions that a plain English statement answers, by its form: "Ana plays the cello." answers
/// "What does Ana play?" and "Who plays the cello?".
///
/// For what the rules of claims do not know. A sentence of another form gets no question; nothing
/// is asked that the sentence does not say.
public enum StatementQuestion {
    /// The questions; empty for a text of several sentences, a question, or another form.
    ///
    /// - Complexity: O(*n*) in the length of the text.
    public static func texts(_ text: String) -> [String] {
        let sentence = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard sentence.utf8.count <= 200, sentence.hasSuffix(".") else { return [] }
        let body = sentence.dropLast()
        guard !body.contains(where: { ".?!\n,;:\"".contains($0) }) else { return [] }
        let words = body.split(separator: " ").map(String.init)
        guard let verb = verb(of: words) else { return [] }
        let subject = words[..<verb].joined(separator: " ")
        let rest = words[(verb + 1)...]
        let about = "What do you know about \(subject)?"
        guard let form = Verb(words[verb]) else { return [] }
        switch form {
        case .be(let be):
            guard let next = rest.first, next == "called" || next == "named", rest.count > 1 else {
                return [about]
            }
            return [
                "What \(be) \(subject) called?", "What \(be) the name of \(subject)?",
                "Tell me the name of \(subject).", about,
            ]
        case .third(let plain):
            return [
                "What does \(subject) \(plain)?",
                "Who \(words[verb]) \(rest.joined(separator: " "))?", about,
            ]
        }
    }

    /// The verb's place: behind a name of up to three words, or behind what belongs to a name.
    private static func verb(of words: [String]) -> Int? {
        guard words.count >= 3, let first = words.first, first.first?.isUppercase == true,
            !notNames.contains(first.lowercased())
        else { return nil }
        var next = 1
        // "Ana Maria Sousa", "Ana's dog".
        while next < min(4, words.count - 1),
            words[next].first?.isUppercase == true || words[next - 1].hasSuffix("'s")
        {
            next += 1
        }
        return next < words.count - 1 ? next : nil
    }

    /// A verb as the statement has it.
    private enum Verb {
        /// `is` or `was`.
        case be(String)
        /// The plain form of a verb in the third person: `play` for `plays`.
        case third(String)

        init?(_ word: String) {
            if word == "is" || word == "was" {
                self = .be(word)
                return
            }
            guard word.count > 3, word.allSatisfy({ $0.isLowercase }), word.hasSuffix("s"),
                !word.hasSuffix("ss"), !word.hasSuffix("us")
            else { return nil }
            if word.hasSuffix("ies") {
                self = .third(word.dropLast(3) + "y")
            } else if ["sses", "shes", "ches", "xes", "zzes"].contains(where: word.hasSuffix) || word == "goes" {
                self = .third(String(word.dropLast(2)))
            } else {
                self = .third(String(word.dropLast()))
            }
        }
    }

    /// Words that begin a sentence with a capital and name nobody.
    private static let notNames: Set<String> = [
        "i", "he", "she", "it", "we", "they", "you", "the", "a", "an", "this", "that", "these", "those", "there",
        "here", "my", "our", "your", "his", "her", "its", "their", "what", "who", "when", "where", "why", "how",
        "if", "as", "in", "on", "at", "to", "for", "from", "with", "by", "and", "but", "or", "not", "no", "yes",
        "some", "all", "every", "each", "one", "today", "yesterday", "tomorrow", "now", "then", "please",
    ]
}
