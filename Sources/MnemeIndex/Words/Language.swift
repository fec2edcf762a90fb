import MnemeBase

/// A language as the index knows it: a table in `Sources/CMnemeLanguages/tables`, one file each.
///
/// Words in it are as ``TextAnalyzer/words(_:)`` gives them: in small letters, `ß` as `ss`.
public struct Language: Sendable {
    /// Its name in English, which is the file's.
    public let name: String
    /// Snowball's name of its stemmer.
    public let stemmer: String
    /// Words that carry no topic.
    public let stopWords: Set<String>
    /// Further words by which it is told from others; they are indexed.
    let commonWords: Set<String>
    /// Letters that few other languages have.
    let letters: Set<Unicode.Scalar>
    /// True if an apostrophe parts two words, as in `l'école`.
    public let partsAtApostrophe: Bool
    /// The months, January first; empty if the table has none.
    public let months: [String]
    /// Words that name a time, and words for numbers.
    public let timeWords, numberWords: Set<String>
    /// Words that ask for the present state. They select by time, and are no terms to look for.
    public let presentWords: Set<String>
    /// Phrases that ask for a time, for a number, and for a name or place.
    public let whenPhrases, numberPhrases, namePhrases: [String]

    /// All languages that there are tables for, English first.
    public static let all: [Language] = LanguageTables.all.map { Language($0) }
    /// English, which also counts where no other language is found.
    public static let english = all[0]

    /// A number that changes with any table (FNV-1a of their bytes).
    static let tablesHash: UInt64 = LanguageTables.all.reduce(14_695_981_039_346_656_037) { hash, table in
        table.text.utf8.reduce(hash) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
    }

    /// Reads a table: `key: words`, in lines that go on where the next begins with a space; `#`
    /// begins a comment.
    private init(_ table: (name: String, text: String)) {
        var values: [String: String] = [:]
        var key = ""
        for line in table.text.parts(between: "\n") where !line.hasPrefix("#") {
            if !line.hasPrefix(" "), let colon = line.firstIndex(of: ":") {
                key = String(line[..<colon])
                values[key] = String(line[line.index(after: colon)...])
            } else {
                values[key, default: ""] += " " + line
            }
        }
        func words(_ key: String) -> [String] {
            (values[key] ?? "").parts(between: " ").map(String.init)
        }
        func phrases(_ key: String) -> [String] {
            (values[key] ?? "").parts(between: ",").map {
                $0.parts(between: " ").joined(separator: " ")
            }
        }
        name = table.name
        stemmer = words("stem").first ?? table.name
        stopWords = Set(words("stop"))
        commonWords = Set(words("common"))
        letters = Set(words("letters").joined().unicodeScalars)
        partsAtApostrophe = words("elision") == ["yes"]
        months = words("months")
        timeWords = Set(words("time") + months)
        numberWords = Set(words("number"))
        presentWords = Set(words("now"))
        (whenPhrases, numberPhrases) = (phrases("when"), phrases("howmany"))
        namePhrases = phrases("name")
    }

    /// The words of a text as this language parts them.
    ///
    /// - Parameters:
    ///   - text: the whole text: joined words of it cannot be parted.
    ///   - words: ``TextAnalyzer/words(_:)`` of the text.
    public func words(of text: String, _ words: [String]) -> [String] {
        guard partsAtApostrophe else { return words }
        let apostrophes: Set<Unicode.Scalar> = ["'", "\u{2019}", "\u{02BC}"]
        guard text.unicodeScalars.contains(where: apostrophes.contains) else { return words }
        var parted = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            parted.append(apostrophes.contains(scalar) ? " " : scalar)
        }
        return TextAnalyzer.words(String(parted))
    }
}

/// Finds the language of a text by its stop words and letters.
///
/// Each word votes for the languages whose tables have it, with one vote in all; so does a letter
/// that few languages have, with less. English has the doubt: another language must have clearly
/// more votes, and not by a name alone that is a stop word there ("Ben" is Dutch for "am").
public enum LanguageFinder {
    /// Votes that a language needs at least.
    private static let leastVotes: Float = 0.3
    /// How many times English's votes it needs.
    private static let lead: Float = 1.5
    /// The vote of a letter that a language has.
    private static let letterVote: Float = 0.4

    /// Names of people in English texts that are stop words of other languages.
    private static let names: Set<String> = [
        "an", "ben", "dan", "del", "des", "don", "ella", "han", "max", "mia", "per", "van", "will",
    ]

    /// Which languages have a word.
    private static let owners: [String: [Int]] = {
        var owners: [String: [Int]] = [:]
        for (i, language) in Language.all.enumerated() {
            for word in language.stopWords.union(language.commonWords) {
                owners[word, default: []].append(i)
            }
        }
        return owners
    }()

    /// Which languages have a letter.
    private static let letterOwners: [Unicode.Scalar: [Int]] = {
        var owners: [Unicode.Scalar: [Int]] = [:]
        for (i, language) in Language.all.enumerated() {
            for letter in language.letters { owners[letter, default: []].append(i) }
        }
        return owners
    }()

    /// The language of a text; nil for English, and where none is found.
    ///
    /// - Parameter words: ``TextAnalyzer/words(_:)`` of the text.
    /// - Complexity: linear.
    public static func language(ofWords words: [String]) -> Language? {
        candidates(ofWords: words).first
    }

    /// The languages that a text may be of, the likeliest first; empty for English, and where none
    /// is found. A question is looked for in all of them.
    public static func candidates(ofWords words: [String]) -> [Language] {
        var votes = [Float](repeating: 0, count: Language.all.count)
        var hasWord = [Bool](repeating: false, count: Language.all.count)
        for word in words {
            if let found = owners[word] {
                for i in found {
                    votes[i] += 1 / Float(found.count)
                    if !names.contains(word) { hasWord[i] = true }
                }
            }
            guard !word.utf8.allSatisfy({ $0 < 0x80 }) else { continue }
            if let found = word.unicodeScalars.lazy.compactMap({ letterOwners[$0] }).first {
                for i in found {
                    votes[i] += letterVote / Float(found.count)
                    hasWord[i] = true
                }
            }
        }
        for i in votes.indices.dropFirst() where !hasWord[i] { votes[i] = 0 }
        let best = votes.dropFirst().max() ?? 0
        guard best >= leastVotes, best >= lead * votes[0] else { return [] }
        return votes.indices.dropFirst().filter { votes[$0] >= best / 2 }
            .sorted { votes[$0] > votes[$1] }.prefix(3).map { Language.all[$0] }
    }
}
