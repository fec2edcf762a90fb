import MnemeCube

/// How a memory and an earlier one that is near it differ in words: what managers know of the two.
struct TextPair {
    /// Shares of the later one's words that the earlier one has not, and of the earlier one's that the later one has not.
    let new, lost: Double
    /// Shares of the first and of the second half of the earlier one's words that the later one has: as a rule what it is
    /// about, and what it says of that.
    let head, tail: Double
    /// True if both have one speaker; true if both claim something of one thing.
    let isSameSpeaker, isSameClaim: Bool

    init(_ later: MemCube, after earlier: MemCube) {
        let (now, before) = (Self.words(of: later.text), Self.words(of: earlier.text))
        let (known, said) = (Set(before), Set(now))
        func share(of words: some Collection<String>, in set: Set<String>) -> Double {
            Double(words.count(where: set.contains)) / Double(max(1, words.count))
        }
        let half = (before.count + 1) / 2
        (new, lost) = (1 - share(of: now, in: known), 1 - share(of: before, in: said))
        (head, tail) = (share(of: before.prefix(half), in: said), share(of: before.dropFirst(half), in: said))
        isSameSpeaker = later.speaker == earlier.speaker
        isSameClaim = !Set(later.claims.map(\.key)).isDisjoint(with: earlier.claims.map(\.key))
    }

    /// The words of a text in lower case, without those that say nothing by themselves.
    static func words(of text: String) -> [String] {
        text.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "'" }.map(String.init)
            .filter { !empty.contains($0) }
    }

    /// Words that tell that something is another way than before, and such as take something back.
    static let change: Set<String> = [
        "now", "instead", "changed", "change", "moved", "switched", "anymore", "longer", "became", "today", "replaced",
    ]
    static let retraction: Set<String> = [
        "forget", "cancelled", "canceled", "scratch", "ignore", "drop", "dropped", "nevermind", "off", "scrap",
        "called",
    ]
    /// Words of what holds for long of a person.
    static let lasting: Set<String> = [
        "always", "never", "allergic", "vegan", "vegetarian", "can't", "cannot", "born", "afraid", "deaf", "blind",
        "religion", "diabetic", "asthma",
    ]
    private static let empty: Set<String> = [
        "a", "an", "the", "is", "are", "was", "were", "be", "in", "on", "at", "to", "of", "for", "and", "it", "that",
        "this", "so", "just", "you", "we", "they", "there",
    ]
}
