import MnemeIndex
import MnemeStore

/// The statement of a short memory, as far as words tell: of whom, on what, and whether it tells of
/// a change.
struct Statement {
    /// Of whom or what a memory speaks.
    enum Subject: Equatable {
        /// The speaker, or those whom the speaker belongs to.
        case own
        /// A thing, or nobody in particular.
        case thing
        /// Somebody else, by name or kinship.
        case other(String)

        /// True if two memories can speak of the same.
        func fits(_ other: Subject) -> Bool {
            if case .other = self { return self == other }
            if case .other = other { return false }
            return true
        }
    }

    /// The memory.
    let cube: MemCube
    /// Of whom or what it speaks.
    let subject: Subject
    /// Stems of what it is about, without words of change, numbers and times.
    let topics: Set<String>
    /// True if it tells that something ended or became another; true if it tells only that
    /// something is so now.
    let statesChange: Bool, statesPresent: Bool
    /// A negation anywhere in it.
    let isDenied: Bool
    /// All its words.
    let words: [String]

    /// The most words of a statement: longer texts tell of several things.
    private static let longest = 30

    /// - Returns: nil for a long text.
    init?(_ cube: MemCube, analyzer: TextAnalyzer) {
        guard cube.text.utf8.count <= 400 else { return nil }
        let words = TextAnalyzer.words(cube.text)
        guard (1...Self.longest).contains(words.count) else { return nil }
        self.cube = cube
        self.words = words
        subject = Self.subject(words, cube)
        let stems = words.filter {
            !TextAnalyzer.stopWords.contains($0) && !ChangeWords.isValue($0)
        }.map(analyzer.stem)
        let names: Set<String> =
            if case .other(let name) = subject { [analyzer.stem(name)] } else { [] }
        let found = Set(stems).subtracting(ChangeWords.all.map(analyzer.stem))
        // "Standup is at nine" is about nothing else.
        topics = found.isSubset(of: names) ? names : found.subtracting(names)
        let pairs = Set(zip(words, words.dropFirst()).map { $0 + " " + $1 })
        statesChange =
            !ChangeWords.changes.isDisjoint(with: words)
            || !ChangeWords.changePairs.isDisjoint(with: pairs)
        statesPresent =
            !ChangeWords.nows.isDisjoint(with: words)
            || !ChangeWords.nowPairs.isDisjoint(with: pairs)
        isDenied = !ChangeWords.denials.isDisjoint(with: words)
    }

    /// Reads the subject off the first word that is no filler: the speaker, a relation ("my boss"),
    /// a pronoun, or a name in front of a verb that often follows names. A rule of thumb, and no
    /// parser: a wrong subject costs a rank.
    private static func subject(_ words: [String], _ cube: MemCube) -> Subject {
        let start = words.firstIndex { !ChangeWords.fillers.contains($0) } ?? 0
        let word = words[start]
        let rest = words[(start + 1)...]
        if rest.prefix(2).contains("i") || ChangeWords.ownSubjects.contains(word) { return .own }
        if word == "my" || word == "our" {
            // "my brother", "my new boss"
            let noun = rest.prefix(3).first { ChangeWords.people.contains($0) }
            return noun.map { .other($0) } ?? .thing
        }
        if let speaker = cube.speaker?.lowercased(), TextAnalyzer.words(speaker).first == word {
            return .own
        }
        if ChangeWords.pronouns.contains(word) { return .other(word) }
        let isName =
            !TextAnalyzer.stopWords.contains(word)
            && ChangeWords.verbsOfNames.contains(rest.first ?? "")
        return isName ? .other(word) : .thing
    }

    /// True if this, said later, is the latest word on what an earlier memory says.
    ///
    /// - Parameters:
    ///   - asked: terms of the question that this one holds; `earlierAsked`: that the other one
    ///     holds.
    func updates(_ earlier: Statement, asked: Set<String>, earlierAsked: Set<String>) -> Bool {
        guard cube.eventTime > earlier.cube.eventTime, cube.speaker == earlier.cube.speaker,
            cube.scope.agent == earlier.cube.scope.agent, cube.text != earlier.cube.text
        else { return false }
        let keys = Set(earlier.cube.claims.map(\.key))
        if cube.claims.contains(where: { claim in
            keys.contains(claim.key)
                && !earlier.cube.claims.contains { $0.key == claim.key && $0.value == claim.value }
        }) {
            return true
        }
        guard subject.fits(earlier.subject) || isAbout(earlier) || earlier.isAbout(self),
            !topics.isEmpty,
            !earlier.topics.isEmpty
        else { return false }
        let shared = Double(topics.intersection(earlier.topics).count)
        let ofEarlier = shared / Double(earlier.topics.count)
        if statesChange || isDenied && !earlier.isDenied && ofEarlier > 0.5 {
            if ofEarlier >= 0.5 { return true }
            let ofShorter = shared / Double(min(topics.count, earlier.topics.count))
            return !asked.isDisjoint(with: earlierAsked) && ofShorter >= 1.0 / 3
        }
        // What the question asks must be said as well as before.
        guard !earlierAsked.isEmpty, earlierAsked.isSubset(of: asked), ofEarlier >= 0.5 else {
            return false
        }
        if statesPresent { return true }
        return hasSameFrame(as: earlier) && earlierAsked == asked
    }

    /// True if a name of this one is a topic of the other: "We have standup at nine", "Standup is
    /// at ten now".
    private func isAbout(_ other: Statement) -> Bool {
        if case .other(let name) = subject, case .own = other.subject {
            return other.words.contains(name) && topics.count == 1
        }
        return false
    }

    /// True if two say the same sentence with another value: "I weigh 80 kg", "I weigh 75 kg". What
    /// is liked is a list, and what has a date is one of many.
    private func hasSameFrame(as earlier: Statement) -> Bool {
        let common = zip(words, earlier.words).prefix { $0 == $1 }.count
        return common >= 2 && abs(words.count - earlier.words.count) <= 2 && cube.dates.isEmpty
            && earlier.cube.dates.isEmpty
            && ChangeWords.lists.isDisjoint(with: words)
    }
}
