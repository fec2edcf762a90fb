import Foundation

/// A question's words, sorted by what they do: those that carry its meaning, numbers, negations,
/// what kind of answer is asked for.
///
/// English alone is read: of another language each word is one that carries meaning, so that two
/// questions are the same only if they use the same words.
struct QuestionWords: Sendable, Equatable {
    /// Stems of the words that carry meaning, in order, each by its group of ``Synonyms``.
    var content: [String] = []
    /// The same without synonyms: the stems themselves.
    var stems: [String] = []
    /// Numbers, dates and ordinals, in order.
    var numbers: [String] = []
    /// How many words negate.
    var negations = 0
    /// What kind of answer is asked for.
    var kind = Kind.statement
    /// When it is asked about, if an auxiliary verb says so.
    var tense: Tense?
    /// Whose something is, and whom else a pronoun names: 1 who speaks, 2 who is spoken to, others.
    var owners: Set<Int> = []
    /// Who does something, of those two.
    var speakers: Set<Int> = []
    /// What is asked of somebody: `can`, `should`, `will`.
    var modals: Set<String> = []
    /// Behind each word of direction, such as `to`, the word that follows.
    var directions: [String: String] = [:]
    /// Signs that mean something: of arithmetic, money, programming languages; emoji.
    var signs: [Character] = []
    /// Texts between quotes or back-ticks, as they are.
    var quoted: [String] = []
    /// True if it names alternatives.
    var hasAlternatives = false
    /// True if two things are compared, so that their order says nothing.
    var isSymmetric = false

    /// What kind of answer a question wants.
    enum Kind: String, Sendable {
        case who, when, what, why, how, place, amount, yesNo, task, statement
    }
    /// When it is asked about.
    enum Tense: Sendable { case past, present, future }

    /// Reads a question.
    ///
    /// - Complexity: linear in its length, times the number of known phrases.
    init(_ text: String) {
        let text = text.replacing("\u{2019}", with: "'").replacing("\u{201c}", with: "\"")
            .replacing("\u{201d}", with: "\"")
        quoted = Self.quoted(in: text)
        signs = text.filter(Self.isSign)
        var line = " " + Self.split(text).joined(separator: " ") + " "
        for (from, to) in Synonyms.phrases where line.contains(" " + from + " ") {
            line = line.replacing(" " + from + " ", with: " " + to + " ")
        }
        line = Self.withoutOpeners(line)
        var words = line.split(separator: " ").map(String.init)
        (kind, words) = Self.kind(words)
        var direction: String?
        for (place, word) in words.enumerated() {
            note(word, next: place + 1 < words.count ? words[place + 1] : "")
            let value: String
            if let number = Self.number(word) {
                numbers.append(number)
                value = number
            } else if !Self.empty.contains(word) {
                let stem = Stem.of(word)
                stems.append(stem)
                value = Synonyms.leader[stem] ?? stem
                content.append(value)
            } else {
                if Self.directing.contains(word) { direction = word }
                continue
            }
            if let before = direction { directions[before] = value }
            direction = Self.directing.contains(word) ? word : nil
        }
    }

    /// Notes what a word says besides its meaning.
    private mutating func note(_ word: String, next: String) {
        if Self.negating.contains(word) { negations += 1 }
        if let person = Self.owner[word] { owners.insert(person) }
        if let person = Self.speaker[word] { speakers.insert(person) }
        if let modal = Self.modal[word] { modals.insert(modal) }
        switch word {
        case "was", "were", "did", "had": tense = .past
        case "will", "shall": tense = .future
        case "going" where next == "to": tense = .future
        case "is", "are", "does": tense = tense ?? .present
        case "or": hasAlternatives = true
        case "between", "difference", "differ", "vs", "versus", "compare", "compared":
            isSymmetric = true
        default: break
        }
    }

    /// True for a sign that is no punctuation of a sentence.
    private static func isSign(_ character: Character) -> Bool {
        !character.isLetter && !character.isNumber && !character.isWhitespace
            && !".,;:!?'\"`()-\u{2013}\u{2014}_\u{2026}\u{bf}\u{a1}".contains(character)
    }

    /// The kind of a question, and its words without those that say it.
    private static func kind(_ words: [String]) -> (Kind, [String]) {
        guard let first = words.first else { return (.statement, words) }
        if verbs.contains(first) { return (.yesNo, words) }
        // "In Python, how do I …": the word that asks may stand within.
        if let place = words.firstIndex(where: { asking[$0] != nil }), let kind = asking[words[place]] {
            var rest = words
            rest.remove(at: place)
            let next = place < rest.count ? rest[place] : ""
            if kind == .how, ["many", "much", "long", "often"].contains(next) {
                rest[place] = "how-" + next
                return (.amount, rest)
            }
            return (kind, rest)
        }
        if describing.contains(first) { return (.what, words) }
        return (tasks.contains(first) ? .task : .statement, words)
    }
}
