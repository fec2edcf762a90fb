import Foundation
import MnemeIndex
import MnemeStore

/// The plan of a question, found by rule: its terms, whose memories, when, and the kind of
/// answer.
struct QuestionPlan: Sendable {
    /// Distinct terms to look for; names of speakers are left out, they select instead.
    var terms: [TermCounts.Term]
    /// Readable form of `terms`.
    var words: [String]
    /// The only speaker that the question names, lower-cased.
    var speaker: String?
    /// Times that the question names, relative to when it is asked.
    var times: [TimeExpression]
    /// The kind of answer: a time, a number, a name, or what is so now.
    var asksWhen, asksNumber, asksName, asksLatest: Bool
    /// The question asks for what held once, rather than for what holds.
    var asksPast: Bool
    /// True if the question is for a former state: "before", "then", "used to".
    var asksFormer: Bool

    /// Plans a question by rule, in English; of other languages terms, speakers, and by their tables
    /// what kind of answer is asked for.
    ///
    /// - Parameters:
    ///   - question: in plain words.
    ///   - speakers: lower-cased speakers of the owner's memories, and how many each has.
    ///   - now: when it is asked: "yesterday" is the day before.
    ///   - analyzer: the one that made the index.
    init(_ question: String, speakers: [String: Int], now: Date, analyzer: TextAnalyzer) {
        let all = TextAnalyzer.words(question)
        let spaced = " " + all.joined(separator: " ") + " "
        let asked = Set(all)
        let named = speakers.keys.filter { name in
            // A speaker is named by full name, or by first name.
            guard let first = TextAnalyzer.words(name).first, first.count > 1 else { return false }
            return asked.contains(first)
        }
        speaker = named.count == 1 ? named.first : nil
        let nameWords = Set(speakers.keys.flatMap { TextAnalyzer.words($0) })
        var seen = Set<TermCounts.Term>()
        words = []
        terms = []
        // Of another language than English, words are looked for by the stems of each language that
        // it may be, and by those that a text gets whose language was not found.
        let languages = LanguageFinder.candidates(ofWords: all)
        let language = languages.first
        for language in languages {
            let sought = language.words(of: question, all).filter {
                !nameWords.contains($0) && !language.presentWords.contains($0)
            }
            for stem in analyzer.terms(ofWords: sought, in: language) {
                let term = TermCounts.hash(stem)
                if seen.insert(term).inserted {
                    terms.append(term)
                    words.append(stem)
                }
            }
        }
        // Only so many terms count, and single ideographs and syllables tell least.
        let ordered =
            all.filter { !TextAnalyzer.isLetterAlone($0) } + all.filter(TextAnalyzer.isLetterAlone)
        for word in ordered
        where !TextAnalyzer.stopWords.contains(word) && !nameWords.contains(word)
            && !Self.latestWords.contains(word)
            && language?.stopWords.contains(word) != true
            && language?.presentWords.contains(word) != true
        {
            let stem = analyzer.stem(word)
            let term = TermCounts.hash(stem)
            if seen.insert(term).inserted {
                terms.append(term)
                words.append(stem)
            }
        }
        // A question of names alone ("Tell me about Ana") looks for the names.
        if terms.isEmpty {
            for word in ordered where !TextAnalyzer.stopWords.contains(word) {
                let stem = analyzer.stem(word)
                let term = TermCounts.hash(stem)
                if seen.insert(term).inserted {
                    terms.append(term)
                    words.append(stem)
                }
            }
        }
        times = TimeExpressions.find(in: question, reference: now)
        let first = all.first ?? ""
        let second = all.count > 1 ? all[1] : ""
        asksWhen =
            first == "when" || spaced.contains(" how long ")
            || (first == "what" && ["year", "month", "day", "date"].contains(second))
        asksNumber = [" how many ", " how long ", " how often "].contains { spaced.contains($0) }
        asksName =
            ["where", "who", "which"].contains(first) || spaced.contains(" name of ")
            || (first == "what" && !Self.namedKinds.isDisjoint(with: all))
        asksPast = !Self.pastWords.isDisjoint(with: all)
        asksFormer =
            !Self.formerWords.isDisjoint(with: all)
            || [" used to ", " at first "].contains { spaced.contains($0) }
            || spaced.contains(" old ") && !spaced.contains(" how old ")
        asksLatest =
            !Self.latestWords.isDisjoint(with: all)
            || language.map { !$0.presentWords.isDisjoint(with: all) } ?? false
        if let language {
            let parted = language.words(of: question, all)
            let spaced = " " + parted.joined(separator: " ") + " "
            func asks(_ phrases: [String]) -> Bool {
                phrases.contains { spaced.contains(" \($0) ") }
            }
            asksWhen = asksWhen || asks(language.whenPhrases)
            asksNumber = asksNumber || asks(language.numberPhrases)
            asksName = asksName || asks(language.namePhrases)
        }
    }

    /// Kinds of things that have proper names.
    private static let namedKinds: Set<String> = [
        "country", "city", "state", "place", "town", "book", "movie", "film", "game", "song",
        "band", "restaurant",
        "company", "school", "name", "brand",
        "team",
    ]
    /// Words of a question about the past: then a superseded memory loses no rank, unless a time is
    /// named.
    private static let pastWords: Set<String> = [
        "did", "was", "were", "used", "previously", "previous", "formerly", "former", "before",
        "earlier", "past",
        "ago", "originally", "once", "old", "ever",
        "had", "then",
    ]
    /// Words that ask for the former state itself: then the earlier memory ranks first.
    private static let formerWords: Set<String> = [
        "before", "previously", "previous", "formerly", "former", "originally", "earlier", "then",
    ]
    /// Words that ask for the present state. They select by time, and are no terms to look for.
    private static let latestWords: Set<String> = [
        "now", "currently", "current", "latest", "recently", "newest", "nowadays", "still",
    ]
}
