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
    /// Stems of its names and numbers: "Adams" is a value within a sentence and a topic where one begins.
    let valueStems: Set<String>
    /// Hosts, addresses and account numbers that it names, in lower case.
    let places: Set<String>
    /// Signals by the rules of single texts, weak ones among them, and by ``ImpliedRules``.
    let signals: GuardSignals, implied: GuardSignals
    /// True if it asks for a check.
    let asksForCheck: Bool
    /// True if it tells of its writer; that something is not so.
    let isOwn: Bool, isDenial: Bool
    /// Its words in order, in lower case.
    let words: [String]

    /// Words of a text that are read.
    private static let longest = 400
    /// Characters of it that are read.
    static let longestText = 4_000

    /// Reads a memory.
    ///
    /// - Complexity: linear in the first 400 words.
    init(_ cube: MemCube, analyzer: TextAnalyzer) {
        (id, recorded, speaker) = (cube.id, cube.recordedTime, cube.speaker)
        voice = Self.voice(of: cube)
        let text = String(cube.text.prefix(Self.longestText))
        words = Array(TextAnalyzer.words(text).prefix(Self.longest))
        let (known, first, places) = Self.values(of: text)
        (values, self.places) = (known.union(first), places)
        valueStems = Set(values.map(analyzer.stem))
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
        (signals, implied) = Self.signals(in: text)
        asksForCheck = !implied.contains(.disarming) && !ImpliedRules.checks.isDisjoint(with: words)
        isDenial = !ImpliedRules.denials.isDisjoint(with: words)
        isOwn = text.split(whereSeparator: { ".!?;:\n".contains($0) }).prefix(20).contains { sentence in
            TextAnalyzer.words(String(sentence.prefix(60))).prefix(2).contains(where: ImpliedRules.ownWords.contains)
        }
    }

    /// Signals of a text by the rules of single texts, and by ``ImpliedRules``.
    static func signals(in text: String) -> (signals: GuardSignals, implied: GuardSignals) {
        let lower = Array(text.lowercased().unicodeScalars)
        func read(_ matcher: PhraseMatcher) -> GuardSignals {
            matcher.sentences(of: lower).prefix(60).reduce([]) { $0.union(matcher.signals(in: $1)) }
        }
        return (read(GuardRules.matcher), read(ImpliedRules.matcher))
    }

    /// Who speaks: a conversation, the site or file that a text is from, or the request that several texts without either
    /// came in, so that whoever writes one thing five times is one voice. Texts that tell when they happened, as those of
    /// an import do, are not taken together by the request.
    private static func voice(of cube: MemCube) -> String {
        if let session = cube.scope.session { return session }
        if let reference = cube.provenance.reference {
            return reference.contains("://") ? place(reference.lowercased()) : reference
        }
        return cube.eventTime == cube.recordedTime
            ? "request of \(cube.recordedTime.timeIntervalSince1970)" : cube.id.description
    }

    /// True if it says that something changed, by other words than some: "left" in "where did he go when he left" tells
    /// of no change.
    func statesChange(besides asked: Set<String>) -> Bool {
        let own = Set(words).subtracting(asked)
        guard ChangeWords.changes.isDisjoint(with: own), ChangeWords.nows.isDisjoint(with: own) else { return true }
        let pairs = Set(zip(words, words.dropFirst()).map { $0 + " " + $1 })
        return !ChangeWords.changePairs.isDisjoint(with: pairs) || !ChangeWords.nowPairs.isDisjoint(with: pairs)
    }

    /// Values and places of a text: names and numbers, those apart that begin a sentence; hosts, addresses of mail and account numbers.
    static func values(of text: String) -> (values: Set<String>, first: Set<String>, places: Set<String>) {
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
            let isCall = inner.dropFirst(word.count).first == "("
            if isAddress(lower), !isCall, !joinsSentences(word) {
                places.insert(place(lower))
            } else if word.count >= 12, word.filter(\.isNumber).count >= 8 {
                places.insert(lower)
            } else if lower != "a", lower != "an", let number = TimeWords.numbers[lower] {
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

    /// Endings of files, which are no names of hosts.
    private static let fileEndings: Set<String> = [
        "csv", "json", "jsonl", "txt", "md", "pdf", "png", "jpg", "html", "xml", "yaml", "yml", "toml", "log", "sql",
        "py",
        "js", "ts", "sh", "swift", "parquet", "xlsx", "docx", "zip", "gz",
    ]

    /// True for a host, a URL or an address of mail; not for a file, and no member of a program's value.
    private static func isAddress(_ word: String) -> Bool {
        let labels = word.split(separator: ".")
        return word.contains("@") || word.contains("://")
            || labels.count > 1 && word.contains(where: \.isLetter)
                && labels.allSatisfy { $0.count > 1 } && !word.contains("_")
                && !fileEndings.contains(String(labels.last ?? ""))
    }

    /// True for the end of a sentence and the beginning of the next without a space between, as in mails that lost their
    /// layout: "email.If".
    private static func joinsSentences(_ word: String) -> Bool {
        guard !word.contains("@"), !word.contains("://") else { return false }
        return zip(word, word.dropFirst()).contains { ($0.isLowercase || $0.isNumber || $0 == ".") && $1.isUppercase }
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

    /// Topics, values and places.
    var terms: Set<String> { topics.union(values).union(places) }

    /// The share of topics, values and places that two memories have in common (Dice), 0 to 1.
    func similarity(to other: Implication) -> Double {
        let (mine, others) = (terms, other.terms)
        let all = mine.count + others.count
        return all == 0 ? 0 : 2 * Double(mine.intersection(others).count) / Double(all)
    }
}
