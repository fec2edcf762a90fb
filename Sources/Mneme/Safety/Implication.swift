import Foundation
import MnemeIndex
import MnemeStore

/// What a memory would have its reader believe or do, as far as words tell: its topic, the values
/// that it states, the places that it sends things to, and what it implies besides.
///
/// A value to be compared with those of related memories, see ``Consensus``.
struct Implication: Sendable {
    /// The memory.
    let id: CubeID
    /// When the memory was first recorded: what was there before it is established.
    let recorded: Date
    /// Who says it: parts of one conversation or document, and copies, are one voice.
    let voice: String
    /// The speaker, who may correct an earlier word of the same speaker.
    let speaker: String?
    /// Stems of what it is about.
    let topics: Set<String>
    /// Names and numbers that it states, in lower case.
    let values: Set<String>
    /// Hosts, addresses and account numbers that it names, in lower case.
    let places: Set<String>
    /// Signals by the rules of single texts, weak ones among them, and by ``ImpliedRules``.
    let signals: GuardSignals, implied: GuardSignals
    /// True if it asks for a check.
    let asksForCheck: Bool
    /// True if it tells of its writer; that something changed; that something is not so.
    let isOwn: Bool, statesChange: Bool, isDenial: Bool
    /// Its words in order, in lower case.
    let words: [String]

    /// Words of a text that are read.
    private static let longest = 400

    /// Reads a memory.
    ///
    /// - Complexity: linear in the first 400 words.
    init(_ cube: MemCube, analyzer: TextAnalyzer) {
        (id, recorded, speaker) = (cube.id, cube.recordedTime, cube.speaker)
        voice = cube.scope.session ?? cube.provenance.reference ?? cube.id.description
        let text = String(cube.text.prefix(4_000))
        words = Array(TextAnalyzer.words(text).prefix(Self.longest))
        let (known, first, places) = Self.values(of: text)
        (values, self.places) = (known.union(first), places)
        let addresses = Set(
            text.split(whereSeparator: \.isWhitespace).filter { $0.contains(".") || $0.contains("@") }
                .filter { !$0.hasSuffix(".") || $0.dropLast().contains(".") }.flatMap { TextAnalyzer.words(String($0)) }
        )
        topics = Set(
            words.filter {
                !addresses.contains($0) && !TextAnalyzer.stopWords.contains($0) && !ChangeWords.isValue($0)
                    && !known.contains($0)
                    && !ChangeWords.all.contains($0)
            }.map(analyzer.stem))
        let lower = Array(text.lowercased().unicodeScalars)
        func read(_ matcher: PhraseMatcher) -> GuardSignals {
            matcher.sentences(of: lower).prefix(60).reduce([]) { $0.union(matcher.signals(in: $1)) }
        }
        signals = read(GuardRules.matcher)
        implied = read(ImpliedRules.matcher)
        asksForCheck = !implied.contains(.disarming) && !ImpliedRules.checks.isDisjoint(with: words)
        isDenial = !ImpliedRules.denials.isDisjoint(with: words)
        isOwn = text.split(whereSeparator: { ".!?;:\n".contains($0) }).prefix(20).contains { sentence in
            TextAnalyzer.words(String(sentence.prefix(60))).prefix(2).contains(where: ImpliedRules.ownWords.contains)
        }
        let pairs = Set(zip(words, words.dropFirst()).map { $0 + " " + $1 })
        statesChange =
            !ChangeWords.changes.isDisjoint(with: words) || !ChangeWords.nows.isDisjoint(with: words)
            || !ChangeWords.changePairs.isDisjoint(with: pairs)
            || !ChangeWords.nowPairs.isDisjoint(with: pairs)
    }

    /// Values and places of a text: names and numbers, those apart that begin a sentence; hosts, addresses of mail and account numbers.
    private static func values(of text: String) -> (values: Set<String>, first: Set<String>, places: Set<String>) {
        var values: Set<String> = []
        var firstNames: Set<String> = []
        var places: Set<String> = []
        var begins = true
        let tokens = text.split(whereSeparator: \.isWhitespace)
        for (number, token) in tokens.enumerated() {
            let inner = token.drop { !$0.isLetter && !$0.isNumber }
            let word = String(inner.prefix { $0.isLetter || $0.isNumber || ".-@/:_".contains($0) })
                .trimmingCharacters(in: CharacterSet(charactersIn: ".-:/"))
            defer { begins = token.last.map { ".!?:".contains($0) } ?? false }
            guard let first = word.first else { continue }
            let lower = word.lowercased()
            if isAddress(lower) {
                places.insert(place(lower))
            } else if word.count >= 12, word.filter(\.isNumber).count >= 8 {
                places.insert(lower)
            } else if let number = TimeWords.numbers[lower] {
                values.insert("\(number)")
            } else if begins, isName(tokens, number) {
                firstNames.insert(lower)
            } else if first.isNumber || first.isUppercase && !begins {
                for part in lower.split(whereSeparator: { !$0.isLetter && !$0.isNumber })
                where !TextAnalyzer.stopWords.contains(String(part)) { values.insert(String(part)) }
            }
        }
        return (values, firstNames, places)
    }

    /// True for a host, a URL or an address of mail.
    private static func isAddress(_ word: String) -> Bool {
        let labels = word.split(separator: ".")
        return word.contains("@") || word.contains("://")
            || labels.count > 1 && word.contains(where: \.isLetter)
                && labels.allSatisfy { $0.count > 1 }
    }

    /// True if the first word of a sentence is a name by what follows it.
    private static func isName(_ tokens: [Substring], _ number: Int) -> Bool {
        number + 1 < tokens.count && ChangeWords.verbsOfNames.contains(tokens[number + 1].lowercased())
            && !TextAnalyzer.stopWords.contains(tokens[number].lowercased())
    }

    /// The last two names of the host of an address of the web or of mail: hosts of one
    /// organisation are one place.
    private static func place(_ text: String) -> String {
        var rest = text[...]
        if let scheme = rest.range(of: "://") { rest = rest[scheme.upperBound...] }
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        let host = rest.prefix { $0 != "/" && $0 != ":" }
        return host.split(separator: ".").suffix(2).joined(separator: ".")
    }

    /// True if two memories speak of the same purpose: most topics of the shorter one are common.
    func hasSamePurpose(as other: Implication) -> Bool {
        let shared = topics.intersection(other.topics).count
        return shared > 0 && shared * 2 >= min(topics.count, other.topics.count)
    }

    /// True if two memories speak of the same: two topics in common, or one that is asked for.
    func isRelated(to other: Implication, by asked: Set<String>) -> Bool {
        let shared = topics.intersection(other.topics).union(values.intersection(other.values))
        return shared.count >= 2 || !shared.isDisjoint(with: asked)
    }

    /// True if another memory says nothing that this one does not say: no topic, value, place or
    /// signal of its own, and no other denial.
    func covers(_ other: Implication) -> Bool {
        other.topics.isSubset(of: topics) && other.values.isSubset(of: values)
            && other.places.isSubset(of: places) && other.isDenial == isDenial
            && other.signals.isSubset(of: signals) && other.implied.isSubset(of: implied)
    }

    /// The share of topics, values and places that two memories have in common (Dice), 0 to 1.
    func similarity(to other: Implication) -> Double {
        let (mine, others) = (topics.union(values).union(places), other.topics.union(other.values).union(other.places))
        let all = mine.count + others.count
        return all == 0 ? 0 : 2 * Double(mine.intersection(others).count) / Double(all)
    }
}
