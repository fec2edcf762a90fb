import Foundation

/// Statements of somebody on themselves that hold for long ("I am vegetarian", "my knee cannot bend"), told by grammar alone:
/// the first person in the present tense, but for moods, thoughts and plans. English.
enum SelfStatement {
    /// True if a sentence says in the present tense what its speaker is, has, does or cannot, and not how they feel just
    /// now or what they think. English alone.
    static func isLasting(_ text: String) -> Bool {
        statements(of: text).contains { sentence in
            let words = sentence.lowercased().replacing("’", with: "'").split { !$0.isLetter && $0 != "'" }.map(
                String.init)
            return words.indices.contains { place in
                switch words[place] {
                case "i", "i'm", "i've": saysOfSelf(words, place)
                case "my": words[place...].dropFirst(2).prefix(2).contains(where: holding.contains)
                default: false
                }
            }
        }
    }

    /// The sentences of a text that ask nothing.
    private static func statements(of text: String) -> [String] {
        var found: [String] = []
        var sentence = ""
        for letter in text {
            guard ".!?;\n".contains(letter) else {
                sentence.append(letter)
                continue
            }
            if letter != "?" { found.append(sentence) }
            sentence = ""
        }
        return found + [sentence]
    }

    /// True if what stands behind "I" lasts.
    private static func saysOfSelf(_ words: [String], _ place: Int) -> Bool {
        var rest = Array(words.dropFirst(place + 1))
        if words[place] == "i'm" { rest.insert("am", at: 0) }
        if words[place] == "i've" { return rest.first == "never" || rest.first == "always" }
        rest = Array(rest.drop(while: adverbs.contains))
        guard let verb = rest.first else { return false }
        let next = rest.dropFirst().first { !adverbs.contains($0) } ?? ""
        // What was so from the beginning, or without exception, still is.
        if verb == "was" {
            return next == "born" || rest.dropFirst().prefix(2).contains { $0 == "always" || $0 == "never" }
        }
        if verb == "am" { return !moods.contains(next) && !next.hasSuffix("ing") && !next.isEmpty }
        if verb == "have" { return !["to", "been", "had"].contains(next) && !next.hasSuffix("ed") }
        return !passing.contains(verb) && !verb.hasSuffix("ed") && !(verb == "don't" && passing.contains(next))
    }

    private static let holding: Set<String> = [
        "is", "are", "has", "have", "can't", "cannot", "won't", "don't", "doesn't",
    ]
    private static let adverbs: Set<String> = [
        "always", "never", "only", "usually", "really", "also", "still", "just", "often", "mostly", "rarely", "seldom",
        "so",
        "very", "quite", "both", "too",
    ]
    /// How somebody is for the moment.
    private static let moods: Set<String> = [
        "glad", "happy", "sorry", "sure", "excited", "here", "back", "fine", "good", "great", "okay", "ok", "curious",
        "tired",
        "ready", "proud", "grateful", "thankful", "done", "busy", "gonna", "late", "thrilled", "pumped", "in", "on",
        "at",
        "down", "up", "with", "about", "not", "relieved", "interested", "lucky", "blessed", "amazed", "pleased", "well",
    ]
    /// Verbs of what passes: of the past, and of thinking.
    private static let passing: Set<String> = [
        "think", "thought", "hope", "know", "knew", "guess", "mean", "see", "saw", "remember", "feel", "felt", "wish",
        "want",
        "wonder", "say", "said", "bet", "agree", "understand", "was", "were", "had", "did", "didn't", "went", "got",
        "made",
        "took", "ate", "ran", "found", "met", "bought", "came", "gave", "told", "heard", "read", "wrote", "kept",
        "lost",
        "left", "won", "will", "would", "could", "should", "might", "must", "may", "couldn't", "wouldn't", "can",
        "wasn't",
        "hear", "look", "put", "set", "spent", "started", "tried", "began", "brought", "drove", "flew", "swam", "spoke",
        "i'm", "and", "do", "appreciate", "suppose", "recommend", "promise", "thank", "forgot", "let", "need",
    ]
}
