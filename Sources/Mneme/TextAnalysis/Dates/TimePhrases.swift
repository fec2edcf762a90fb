internal import CMnemeLanguages
import Foundation
import MnemeBase
import MnemeIndex

/// The time phrases of a language other than English: what each says in English, whose grammar
/// resolves it.
///
/// A table (`Sources/CMnemeLanguages/dates`) has classes of words (`[month]`: `mayo = may`) and
/// phrases with places for them (`{month} de {year} = {month} {year}`). A word in brackets may be
/// missing, `|` parts two readings, and `-` stands behind what looks like a date and is none.
package struct TimePhrases: Sendable {
    /// The language's name, which is the file's.
    package let language: String
    /// Words of a class in tokens, with the English for them, the longest first; by the first token.
    private var classes: [Substring: [Substring: [(words: [Substring], english: Substring)]]] = [:]
    /// Weekdays, months, units and words of the section "own" that are no English words.
    private let ownWords: Set<Substring>
    /// Phrases by the token that they begin with; "" for those that begin with a number.
    private var phrases: [Substring: [Phrase]] = [:]

    /// One way to write a phrase.
    private struct Phrase {
        var parts: [Part]
        /// Its readings in English; none if it is no date.
        var english: [String]
    }

    /// What stands at a place of a phrase.
    private enum Part {
        case word(Substring)
        /// A word of a class, or a number if the name is `day`, `year` or `number`.
        case place(Substring)
    }

    /// What a phrase of a text says.
    struct Match {
        /// Tokens that it takes.
        var count: Int
        /// Its readings in English; none if it is no date.
        var english: [String]
    }

    /// All tables.
    package static let all: [TimePhrases] = sources.map { TimePhrases(language: $0.language, table: $0.table) }

    /// The tables as they are written.
    private static var sources: [(language: String, table: String)] {
        (0..<mnm_date_table_count()).map { index in
            let table = mnm_date_table_at(index)
            let bytes = UnsafeBufferPointer(start: table.bytes, count: table.size)
            return (String(cString: table.name), String(decoding: bytes, as: UTF8.self))
        }
    }

    /// The tables of the languages that a text may be of, the likeliest first; none for English.
    ///
    /// Japanese and Chinese are known by their letters, others by their words.
    ///
    /// - Parameter words: `TextAnalyzer.words(_:)` of the text.
    static func tables(for text: String, words: [String]) -> [TimePhrases] {
        var (hasKana, hasIdeographs) = (false, false)
        for scalar in text.unicodeScalars where scalar.isIdeographOrKana {
            if scalar.isKana { hasKana = true } else { hasIdeographs = true }
        }
        let names =
            hasKana
            ? ["japanese"]
            : hasIdeographs
                ? ["chinese", "japanese"]
                : LanguageFinder.candidates(ofWords: words).map(\.name)
        return names.compactMap { name in all.first { $0.language == name } }
    }

    /// Every reading of the table, with an example in each place.
    package var readings: Set<String> {
        let examples: [Substring: Substring] = [
            "weekday": "friday", "month": "may", "unit": "weeks", "season": "summer", "number": "2", "day": "8",
            "year": "2023",
        ]
        return Set(phrases.values.joined().flatMap(\.english).map { Self.filled($0, examples) })
    }

    /// The tables that have a word as their own. A text of a process that lives for one sentence is asked
    /// for them, and few texts for more of a table: its phrases are not read for this.
    private static let owners: [Substring: [Int]] = sources.enumerated().reduce(into: [:]) { owners, source in
        for word in ownWords(of: source.element.table) { owners[word, default: []].append(source.offset) }
    }

    /// The first letters of words of ``owners`` that are letters of ASCII, as hashes of all of them.
    private static let plainOwners: Set<UInt64> = Set(
        owners.keys.lazy.filter { $0.utf8.allSatisfy { $0 < 0x80 } }.map { word in
            word.utf8.prefix(PhraseToken.longest).reduce(firstHash) { hash($0, $1) }
        })

    /// True for a text of no language of a table, and without a word that a table has as its own: found
    /// without cutting it into words. False where that is not certain.
    ///
    /// - Parameter words: `TextAnalyzer.words(_:)` of the text.
    static func holdsNoWord(_ text: String, words: [String]) -> Bool {
        var text = text
        let isPlain = text.withUTF8 { bytes in
            var (i, word, length) = (0, firstHash, 0)
            /// True if a word that ends here is no table's own.
            func isFree() -> Bool { length == 0 || !plainOwners.contains(word) }
            while i < bytes.count {
                let byte = bytes[i] | (bytes[i] &- 65 < 26 ? 32 : 0)
                if byte &- 97 < 26 {
                    if length < PhraseToken.longest { word = hash(word, byte) }
                    length += 1
                    i += 1
                    continue
                }
                guard isFree() else { return false }
                (word, length) = (firstHash, 0)
                if byte < 0x80 {
                    i += 1
                } else if i + 2 < bytes.count, byte == 0xE2, bytes[i + 1] == 0x80, bytes[i + 2] >= 0x92,
                    bytes[i + 2] <= 0xA3, bytes[i + 2] != 0x97
                {
                    // Dashes, quotation marks and bullets, which are the same composed.
                    i += 3
                } else {
                    return false
                }
            }
            return isFree()
        }
        return isPlain && LanguageFinder.candidates(ofWords: words).isEmpty
    }

    /// FNV-1a.
    private static let firstHash: UInt64 = 0xcbf2_9ce4_8422_2325

    @inline(__always)
    private static func hash(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
        (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }

    /// The sentences in which a table has a word of its own, by the table's place among all.
    static func ownSentences(of tokens: [PhraseToken]) -> [Int: Set<Int>] {
        var found: [Int: Set<Int>] = [:]
        for token in tokens {
            for table in owners[token.text] ?? [] { found[table, default: []].insert(token.sentence) }
        }
        return found
    }

    /// True if a phrase of several words, numbers aside, has one of the table's own.
    func isDistinct(_ phrase: ArraySlice<PhraseToken>) -> Bool {
        phrase.count { Self.key($0.text) != "" } > 1 && phrase.contains { ownWords.contains($0.text) }
    }

    /// The longest phrase that begins at a token; nil if there is none.
    ///
    /// - Complexity: by the phrases that begin with the same word, which are few.
    func match(_ tokens: [PhraseToken], at i: Int) -> Match? {
        var best: Match?
        for phrase in phrases[Self.key(tokens[i].text)] ?? [] {
            var values: [Substring: Substring] = [:]
            guard let count = length(of: phrase.parts[...], tokens, at: i, from: i, &values),
                count > best?.count ?? 0
            else { continue }
            best = Match(count: count, english: phrase.english.map { Self.filled($0, values) })
        }
        return best
    }

    /// The tokens that the parts of a phrase take from `i` on; nil if they are not there.
    private func length(
        of parts: ArraySlice<Part>, _ tokens: [PhraseToken], at i: Int, from start: Int,
        _ values: inout [Substring: Substring]
    ) -> Int? {
        guard let part = parts.first else { return i - start }
        guard i < tokens.count, tokens[i].sentence == tokens[start].sentence else { return nil }
        let rest = parts.dropFirst()
        switch part {
        case .word(let word):
            return tokens[i].text == word ? length(of: rest, tokens, at: i + 1, from: start, &values) : nil
        case .place(let name):
            if let number = Self.number(tokens[i].text, at: name) {
                values[name] = number
                return length(of: rest, tokens, at: i + 1, from: start, &values)
            }
            for (words, english) in classes[name == "day" ? "number" : name]?[tokens[i].text] ?? []
            where i + words.count <= tokens.count
                && zip(words, tokens[i...]).allSatisfy({ $0 == $1.text && $1.sentence == tokens[start].sentence })
            {
                values[name] = english
                if let count = length(of: rest, tokens, at: i + words.count, from: start, &values) { return count }
            }
            return nil
        }
    }

    /// What phrases that begin with a token are found by: the token, or "" for a number.
    private static func key(_ token: Substring) -> Substring {
        token.utf8.first.map { (48...57).contains($0) } == true ? "" : token
    }

    /// A number in figures as a place takes it: a day of a month, a year of four digits, or a number
    /// below 1,000.
    private static func number(_ token: Substring, at place: Substring) -> Substring? {
        guard ["day", "year", "number"].contains(place), let number = Int(token) else { return nil }
        let fits =
            switch place {
            case "day": (1...31).contains(number)
            case "year": token.utf8.count == 4 && number >= 1000
            default: (1...999).contains(number)
            }
        return fits ? token : nil
    }

    /// A reading with the words that stood in the places.
    private static func filled(_ english: String, _ values: [Substring: Substring]) -> String {
        values.reduce(english) { $0.replacing("{\($1.key)}", with: String($1.value)) }
    }
}

extension TimePhrases {
    /// Reads a table. Its lines are this program's own, so that none is refused: tests read them all.
    init(language: String, table: String) {
        self.language = language
        ownWords = Self.ownWords(of: table)
        var written: [(left: Substring, right: Substring)] = []
        for (section, sides) in Self.lines(of: table) {
            guard section != "phrase" else {
                written.append((sides[0], sides[1]))
                continue
            }
            let english = Substring(sides[1].split(separator: " ").joined(separator: " "))
            for side in sides[0].split(separator: ",") {
                let words = Self.words(side)
                guard let first = words.first else { continue }
                classes[section, default: [:]][first, default: []].append((words, english))
            }
        }
        for (section, words) in classes {
            classes[section] = words.mapValues { $0.sorted { $0.words.count > $1.words.count } }
        }
        for (left, right) in written {
            let english = right.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            for side in left.split(separator: ",") {
                for form in Self.forms(side) {
                    add(Phrase(parts: Self.parts(form), english: english == ["-"] ? [] : english))
                }
            }
        }
    }

    /// The lines of a table with their sections, in two parts each.
    private static func lines(of table: String) -> [(section: Substring, sides: [Substring])] {
        var section: Substring = ""
        return table.parts(between: "\n").compactMap { line in
            guard !line.hasPrefix("#") else { return nil }
            if line.hasPrefix("[") {
                section = line.dropFirst().dropLast()
                return nil
            }
            let sides = line.parts(between: "=", atMost: 1)
            return sides.count == 2 ? (section, sides) : nil
        }
    }

    /// Weekdays, months, units and words of the section "own" of a table that are no English words.
    private static func ownWords(of table: String) -> Set<Substring> {
        lines(of: table).reduce(into: []) { found, line in
            guard ["weekday", "month", "unit", "own"].contains(line.section) else { return }
            for side in line.sides[0].parts(between: ",") {
                let words = Self.words(side)
                if words.count == 1, !TimeMatcher.canOpen(String(words[0])) { found.insert(words[0]) }
            }
        }
    }

    /// The phrase with and without each word in brackets.
    private static func forms(_ side: Substring) -> [String] {
        guard let open = side.firstIndex(of: "("), let close = side[open...].firstIndex(of: ")") else {
            return [String(side)]
        }
        let rest = forms(side[side.index(after: close)...])
        return ["", side[side.index(after: open)..<close]].flatMap { middle in
            rest.map { side[..<open] + middle + $0 }
        }
    }

    /// The words of a table's entry, as those of texts.
    private static func words(_ entry: some StringProtocol) -> [Substring] {
        // Most are small letters of ASCII, which stand in words as they are.
        if entry.utf8.allSatisfy({ $0 &- 97 < 26 || $0 == 32 }) {
            return String(entry).parts(between: " ").map {
                Substring($0.unicodeScalars.prefix(PhraseToken.longest))
            }
        }
        return PhraseToken.tokens(of: PhraseToken.readable(entry)).map(\.text)
    }

    /// A phrase's words and places.
    private static func parts(_ form: String) -> [Part] {
        var parts: [Part] = []
        var rest = Substring(form)
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            parts += words(rest[..<open]).map(Part.word)
            parts.append(.place(rest[rest.index(after: open)..<close]))
            rest = rest[rest.index(after: close)...]
        }
        return parts + words(rest).map(Part.word)
    }

    /// Adds a phrase under each token that it can begin with.
    private mutating func add(_ phrase: Phrase) {
        switch phrase.parts.first {
        case nil: break
        case .word(let word): phrases[word, default: []].append(phrase)
        case .place(let name):
            var keys = Set(classes[name == "day" ? "number" : name]?.keys.map(Self.key) ?? [])
            if ["day", "year", "number"].contains(name) { keys.insert("") }
            for key in keys { phrases[key, default: []].append(phrase) }
        }
    }
}
