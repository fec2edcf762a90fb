import Foundation
import MnemeIndex
package import MnemeStore

/// Type, entities and keywords of a text, found by rule, without a model.
package enum TextFacts {
    /// What kind of memory `text` is. The first rule that holds decides.
    ///
    /// - Parameter words: ``TextAnalyzer/words(_:)`` of `text`.
    package static func type(of text: String, words: [String]) -> MemoryType {
        var words = words
        if text.utf8.contains(UInt8(ascii: "?")) {
            // "What do I like?" says nothing of what somebody likes.
            let statements = sentences(of: text).filter { !isQuestion($0) }
            if statements.isEmpty { return .episodic }
            words = statements.flatMap { TextAnalyzer.words(String($0)) }
        }
        let padded = Array((" " + words.joined(separator: " ") + " ").utf8)
        func says(_ phrases: [[UInt8]]) -> Bool { phrases.contains { padded.holds($0) } }
        if says(preferencePhrases) { return .preference }
        if says(corePhrases) { return .core }
        if says(procedurePhrases) || stepCount(text) >= 2 { return .procedural }
        if says(eventWords) || words.contains("i") && words.contains(where: { $0.hasSuffix("ed") && $0.utf8.count > 4 })
        {
            return .episodic
        }
        if says(factPhrases) && !text.hasSuffix("?") { return .semantic }
        return .episodic
    }

    private static let questionWords: Set<Substring> = [
        "what", "where", "when", "who", "whose", "whom", "which", "why", "how", "do", "does", "did", "is", "are", "was",
        "were", "am", "can", "could", "would",
        "should", "will", "have", "has", "had", "may", "shall", "and", "but", "so",
    ]

    private static func sentences(of text: String) -> [Substring] {
        var sentences: [Substring] = [], start = text.startIndex
        for (i, next) in zip(text.indices, text.indices.dropFirst())
        where ".!?\n".contains(text[i]) && text[next].isWhitespace {
            sentences.append(text[start...i])
            start = next
        }
        return (sentences + [text[start...]]).map { $0.drop(while: \.isWhitespace) }.filter { !$0.isEmpty }
    }

    /// Whether a sentence asks, rather than says something and asks back ("I love it, do you?").
    private static func isQuestion(_ sentence: Substring) -> Bool {
        guard sentence.hasSuffix("?"), let first = sentence.split(separator: " ").first else { return false }
        return questionWords.contains(first.lowercased().prefix { $0.isLetter })
    }

    // Contractions lose their apostrophe in words(): "i'm" is "im". Spaces around make them match whole words.
    private static let preferencePhrases = padded([
        "i love", "i like", "i prefer", "i enjoy", "i hate", "i dislike", "i adore", "i cant stand", "my favorite",
        "my favourite", "favorite is",
        "i would rather", "id rather", "i dont like", "im a fan of", "im into", "likes", "prefers", "loves", "hates",
        "dislikes",
    ])
    private static let corePhrases = padded([
        "my name is", "call me", "i live in", "i live at", "i was born", "my birthday", "i work as", "i work at",
        "i work for", "im from", "i am from",
        "im married", "i am married", "my wife", "my husband", "my daughter", "my son", "my address", "my phone",
        "my email", "im allergic",
        "i am allergic", "years old", "i moved to",
    ])
    private static let procedurePhrases = padded([
        "how to", "first you", "steps to", "step 1", "make sure to", "you need to", "in order to", "then you",
    ])
    private static let eventWords = padded([
        "yesterday", "today", "tonight", "tomorrow", "last week", "last night", "last month", "last year", "ago",
        "went", "just got", "happened",
        "met", "visited", "bought", "started", "finished",
    ])
    private static let factPhrases = padded(["is", "are", "has", "have", "means", "costs", "contains", "consists"])

    private static func padded(_ phrases: [String]) -> [[UInt8]] { phrases.map { Array(" \($0) ".utf8) } }

    /// Lines that begin with a number or a bullet.
    private static func stepCount(_ text: String) -> Int {
        guard text.utf8.contains(10) else { return 0 }
        return text.split(separator: "\n").count { line in
            let line = line.drop { $0 == " " }
            let digits = line.prefix { $0.isNumber }
            return
                (!digits.isEmpty && digits.count <= 2
                && line.dropFirst(digits.count).first.map { $0 == "." || $0 == ")" } ?? false)
        }
    }

    /// Scalars of a text that are looked at for names: more than a part of a long text has.
    private static let longest = 16_384

    /// Names: runs of capitalised words that do not merely begin a sentence; addresses of mail and web.
    package static func entities(in text: String, speaker: String?, limit: Int = 16) -> [String] {
        // For each word that begins a sentence the text is looked through.
        let text = String(text.unicodeScalars.prefix(longest))
        var found: [String] = [], run: [Substring] = []
        func add(_ entity: String) {
            if entity.count > 1, !found.contains(entity), found.count < limit { found.append(entity) }
        }
        func end() {
            if !run.isEmpty { add(run.joined(separator: " ")) }
            run = []
        }
        var sentenceStart = true
        for scalars in text.unicodeScalars.split(whereSeparator: \.isSpace) {
            let raw = Substring(scalars), word = Substring(scalars.trimming { !$0.isWordPart })
            if raw.utf8.contains(UInt8(ascii: "@")) && raw.utf8.contains(UInt8(ascii: ".")) || raw.hasPrefix("http://")
                || raw.hasPrefix("https://")
            {
                end()
                add(String(Substring(scalars.trimming { ",.;:!?()<>\"'".unicodeScalars.contains($0) })))
            } else if let first = word.unicodeScalars.first, first.isUppercase, word.utf8.count > 1 || !run.isEmpty {
                let bare = word.hasSuffix("'s") || word.hasSuffix("’s") ? word.dropLast(2) : word
                let common = TextAnalyzer.stopWords.contains(bare.lowercased()) || openers.contains(bare.lowercased())
                if (sentenceStart && (common || run.isEmpty && !isName(bare, in: text))) || common {
                    end()
                } else {
                    run.append(bare)
                }
                if bare.count != word.count { end() }
            } else {
                end()
            }
            if let last = raw.utf8.last {
                sentenceStart = ".!?:".utf8.contains(last)
                if ",.!?:;)".utf8.contains(last) { end() }
            }
        }
        end()
        if let speaker, !speaker.isEmpty { add(speaker) }
        return found
    }

    /// A word that opens a sentence is a name if it stands capitalised elsewhere too.
    private static func isName(_ word: Substring, in text: String) -> Bool {
        var text = text, name = String(word)
        return text.withUTF8 { text in name.withUTF8 { name in text.count(of: name, atMost: 2) } } > 1
    }

    private static let openers: Set<String> = [
        "hey", "hi", "hello", "wow", "yeah", "yes", "no", "thanks", "thank", "oh", "well", "sure", "great", "nice",
        "cool", "awesome", "congrats",
        "okay", "ok", "im", "i'm", "i've", "i'll", "it's", "that's", "also", "sorry", "please", "maybe", "good",
        "sounds", "glad", "haha", "lol",
    ]

    /// The longest content words, as a short description of what the text is about.
    ///
    /// - Parameter words: ``TextAnalyzer/words(_:)`` of the text.
    static func keywords(_ words: [String], limit: Int = 8) -> [String] {
        var places: [String: Int] = [:], found: [(word: String, count: Int, length: Int)] = []
        for word in words where word.utf8.count > 3 && !TextAnalyzer.stopWords.contains(word) {
            let length = word.unicodeScalars.count
            guard length > 3 else { continue }
            if let place = places[word] {
                found[place].count += 1
            } else {
                places[word] = found.count
                found.append((word, 1, length))
            }
        }
        return found.sorted { ($0.count, $0.length) > ($1.count, $1.length) }.prefix(limit).map(\.word)
    }
}

extension Substring.UnicodeScalarView {
    func trimming(_ drop: (Unicode.Scalar) -> Bool) -> Substring.UnicodeScalarView {
        guard let first = firstIndex(where: { !drop($0) }), let last = lastIndex(where: { !drop($0) }) else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}

extension Unicode.Scalar {
    // The properties of Unicode cost a table look-up each; most text is ASCII.
    var isSpace: Bool { isASCII ? value == 32 || (9...13).contains(value) : properties.isWhitespace }
    var isUppercase: Bool { isASCII ? (65...90).contains(value) : properties.isUppercase }
    /// A letter, a digit or a mark on one.
    var isWordPart: Bool {
        if isASCII { return (97...122).contains(value) || (65...90).contains(value) || (48...57).contains(value) }
        return properties.isAlphabetic || properties.numericType != nil || properties.generalCategory == .nonspacingMark
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// How often `needle` stands in the bytes, without overlap, counted to `limit`.
    func count(of needle: UnsafeBufferPointer<UInt8>, atMost limit: Int) -> Int {
        guard let start = baseAddress, let wanted = needle.baseAddress, !needle.isEmpty else { return 0 }
        var place = 0, found = 0
        while found < limit, place + needle.count <= count,
            let hit = memchr(start + place, Int32(wanted[0]), count - place - needle.count + 1)
        {
            place = UnsafePointer(hit.assumingMemoryBound(to: UInt8.self)) - start
            if memcmp(start + place, wanted, needle.count) == 0 {
                found += 1
                place += needle.count
            } else {
                place += 1
            }
        }
        return found
    }
}

extension [UInt8] {
    /// Whether `needle` stands somewhere in the bytes.
    func holds(_ needle: [UInt8]) -> Bool {
        withUnsafeBufferPointer { bytes in needle.withUnsafeBufferPointer { bytes.count(of: $0, atMost: 1) } } > 0
    }
}
