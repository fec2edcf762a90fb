import Foundation
package import MnemeCube
import MnemeIndex

/// Type, entities and keywords of a text, found by rule, without a model.
package enum TextFacts {
    /// The type of memory that `text` is. The first rule that holds decides.
    ///
    /// - Parameter words: ``TextAnalyzer/words(_:)`` of `text`.
    package static func type(of text: String, words: [String]) -> MemoryType {
        var words = words
        if text.utf8.contains(UInt8(ascii: "?")) {
            // "What do I like?" says nothing of what somebody likes.
            let all = sentences(of: Array(text.unicodeScalars))
            let statements = all.filter { !isQuestion($0) }
            if statements.isEmpty { return .episodic }
            if statements.count < all.count {
                words = statements.flatMap {
                    TextAnalyzer.words(String(decoding: Array($0).utf8, as: UTF8.self))
                }
            }
        }
        let said = phrases(in: words)
        if said.contains(.preference) { return .preference }
        if said.contains(.core) { return .core }
        if said.contains(.procedure) || stepCount(text) >= 2 { return .procedural }
        if said.contains(.event) || words.contains("i") && words.contains(where: isPast) {
            return .episodic
        }
        if said.contains(.fact) && !text.hasSuffix("?") { return .semantic }
        return .episodic
    }

    /// A word that looks like a regular past form.
    private static func isPast(_ word: String) -> Bool {
        word.utf8.count > 4 && word.utf8.suffix(2).elementsEqual("ed".utf8)
    }

    /// Words with which a sentence that asks begins.
    private static let questionWords: Set<String> = [
        "what", "where", "when", "who", "whose", "whom", "which", "why", "how", "do", "does", "did",
        "is", "are", "was",
        "were", "am", "can", "could", "would",
        "should", "will", "have", "has", "had", "may", "shall", "and", "but", "so",
    ]

    /// The sentences of a text, by their marks and lines, without space before them.
    private static func sentences(of text: [Unicode.Scalar]) -> [ArraySlice<Unicode.Scalar>] {
        var sentences: [ArraySlice<Unicode.Scalar>] = []
        var start = 0
        for i in text.indices.dropLast() where text[i + 1].isSpace {
            // Both marks of a line's end are one.
            let ends = text[i] == "\n" && (i == 0 || text[i - 1] != "\r")
            if ends || text[i] == "." || text[i] == "!" || text[i] == "?" {
                sentences.append(text[start...i])
                start = i + 1
            }
        }
        sentences.append(text[start...])
        return sentences.map { $0.drop(while: \.isSpace) }.filter { !$0.isEmpty }
    }

    /// True if a sentence asks, rather than says something and asks back ("I love it, do you?").
    private static func isQuestion(_ sentence: ArraySlice<Unicode.Scalar>) -> Bool {
        guard sentence.last == "?" else { return false }
        return questionWords.contains(
            String(
                decoding: Array(sentence.prefix(while: \.isLetter)).lowercased().utf8, as: UTF8.self
            ))
    }

    // Contractions lose their apostrophe in words(): "i'm" is "im".
    private static let preferencePhrases = [
        "i love", "i like", "i prefer", "i enjoy", "i hate", "i dislike", "i adore", "i cant stand",
        "my favorite",
        "my favourite", "favorite is",
        "i would rather", "id rather", "i dont like", "im a fan of", "im into", "likes", "prefers",
        "loves", "hates",
        "dislikes",
    ]
    /// Phrases of a person's core facts: name, home, work, family.
    private static let corePhrases = [
        "my name is", "call me", "i live in", "i live at", "i was born", "my birthday", "i work as",
        "i work at",
        "i work for", "im from", "i am from",
        "im married", "i am married", "my wife", "my husband", "my daughter", "my son",
        "my address", "my phone",
        "my email", "im allergic",
        "i am allergic", "years old", "i moved to",
    ]
    /// Phrases of procedures.
    private static let procedurePhrases = [
        "how to", "first you", "steps to", "step 1", "make sure to", "you need to", "in order to",
        "then you",
    ]
    /// Phrases of events.
    private static let eventPhrases = [
        "yesterday", "today", "tonight", "tomorrow", "last week", "last night", "last month",
        "last year", "ago",
        "went", "just got", "happened",
        "met", "visited", "bought", "started", "finished",
    ]
    /// Phrases of facts; the weakest sign.
    private static let factPhrases = [
        "is", "are", "has", "have", "means", "costs", "contains", "consists",
    ]

    /// Kinds of phrases that tell a memory's type.
    private struct PhraseKinds: OptionSet {
        let rawValue: UInt8
        /// Signs of a preference, and of who somebody is.
        static let preference = PhraseKinds(rawValue: 1), core = PhraseKinds(rawValue: 2)
        /// Signs of a procedure, and of an event.
        static let procedure = PhraseKinds(rawValue: 4), event = PhraseKinds(rawValue: 8)
        /// Signs of a fact.
        static let fact = PhraseKinds(rawValue: 16)
    }

    /// The phrases by their first word, with the words behind it.
    private static let phrases: [String: [(rest: [String], kind: PhraseKinds)]] = {
        var phrases: [String: [(rest: [String], kind: PhraseKinds)]] = [:]
        let lists: [(PhraseKinds, [String])] = [
            (.preference, preferencePhrases), (.core, corePhrases), (.procedure, procedurePhrases),
            (.event, eventPhrases), (.fact, factPhrases),
        ]
        for (kind, list) in lists {
            for phrase in list {
                let words = phrase.split(separator: " ").map(String.init)
                phrases[words[0], default: []].append((Array(words.dropFirst()), kind))
            }
        }
        return phrases
    }()

    /// The kinds of phrases that stand among `words`.
    private static func phrases(in words: [String]) -> PhraseKinds {
        var found: PhraseKinds = []
        for (index, word) in words.enumerated() {
            for (rest, kind) in phrases[word] ?? [] where !found.contains(kind) {
                if words[(index + 1)...].starts(with: rest) { found.insert(kind) }
            }
        }
        return found
    }

    /// Lines that begin with a number or a bullet.
    private static func stepCount(_ text: String) -> Int {
        guard text.utf8.contains(10) else { return 0 }
        var count = 0
        var previous: Unicode.Scalar = "\n"
        var digits = 0
        var isOpening = true
        for scalar in text.unicodeScalars {
            if scalar == "\n" && previous != "\r" {
                (digits, isOpening) = (0, true)
            } else if isOpening {
                if digits > 0 && digits <= 2 && (scalar == "." || scalar == ")") { count += 1 }
                if scalar.isASCII ? scalar.isDigit : scalar.properties.numericType != nil {
                    digits += 1
                } else if scalar != " " || digits > 0 {
                    isOpening = false
                }
            }
            previous = scalar
        }
        return count
    }

    /// Scalars of a text that are looked at for names: more than a part of a long text has.
    private static let longest = 16_384

    /// Names: runs of capitalised words that do not merely begin a sentence; addresses of mail and
    /// web.
    package static func entities(in text: String, speaker: String?, limit: Int = 16) -> [String] {
        // For each word that begins a sentence the text is looked through.
        let text = text.utf8.count <= longest ? text : String(text.unicodeScalars.prefix(longest))
        var names = NameCollector(text: text, limit: limit)
        var utf8 = text
        utf8.makeContiguousUTF8()
        for piece in utf8.utf8.split(whereSeparator: { $0 == 32 || (9...13).contains($0) }) {
            if NameCollector.isPlain(piece) {
                names.passPlain(piece)
            } else {
                for word in Substring(piece).unicodeScalars.split(whereSeparator: \.isSpace) {
                    names.take(word)
                }
            }
        }
        names.end()
        if let speaker, !speaker.isEmpty { names.add(speaker) }
        return names.found
    }

    /// Collects the names of one text, word by word.
    private struct NameCollector {
        /// Looked through again for a word that opens a sentence.
        let text: String
        /// The most names that are kept.
        let limit: Int
        /// Names in the order in which they come.
        private(set) var found: [String] = []
        /// Capitalised words that stand side by side: one name.
        private var run: [Substring] = []
        /// True if the next word opens a sentence, where a capital says nothing.
        private var isSentenceStart = true

        init(text: String, limit: Int) {
            self.text = text
            self.limit = limit
        }

        /// Keeps a name, once.
        mutating func add(_ entity: String) {
            if found.count < limit, entity.count > 1, !found.contains(entity) {
                found.append(entity)
            }
        }

        /// Ends a run of words that are one name.
        mutating func end() {
            if !run.isEmpty, !DateNames.nameOnlyTimes(run, in: text) {
                add(run.joined(separator: " "))
            }
            run = []
        }

        /// True if a word can be no name: without capitals, signs of addresses and letters beyond
        /// ASCII.
        static func isPlain(_ word: Substring.UTF8View) -> Bool {
            word.allSatisfy {
                $0 < 0x80 && !(65...90).contains($0) && $0 != UInt8(ascii: "@")
                    && $0 != UInt8(ascii: "/")
            }
        }

        /// Takes a word that ``isPlain(_:)``.
        mutating func passPlain(_ word: Substring.UTF8View) {
            end()
            passEnd(of: word)
        }

        /// Notes what a word's last sign ends: a sentence, or a name.
        private mutating func passEnd(of word: Substring.UTF8View) {
            guard let last = word.last else { return }
            isSentenceStart = ".!?:".utf8.contains(last)
            if ",.!?:;)".utf8.contains(last) { end() }
        }

        /// Takes a word that may be a name, or an address of mail or web.
        mutating func take(_ scalars: Substring.UnicodeScalarView) {
            let raw = Substring(scalars)
            let word = Substring(scalars.trimming { !$0.isWordPart })
            if raw.utf8.contains(UInt8(ascii: "@")) && raw.utf8.contains(UInt8(ascii: "."))
                || raw.hasPrefix("http://")
                || raw.hasPrefix("https://")
            {
                end()
                add(
                    String(
                        Substring(scalars.trimming { ",.;:!?()<>\"'".unicodeScalars.contains($0) }))
                )
            } else if let first = word.unicodeScalars.first, first.isUppercase,
                word.utf8.count > 1 || !run.isEmpty
            {
                let bare = word.hasSuffix("'s") || word.hasSuffix("’s") ? word.dropLast(2) : word
                let lower = bare.lowercased()
                let isCommon = TextAnalyzer.stopWords.contains(lower) || openers.contains(lower)
                if isCommon || isSentenceStart && run.isEmpty && !isName(bare, in: text) {
                    end()
                } else {
                    run.append(bare)
                }
                if bare.endIndex != word.endIndex { end() }
            } else {
                end()
            }
            passEnd(of: raw.utf8)
        }
    }

    /// A word that opens a sentence is a name if it stands capitalised elsewhere too.
    private static func isName(_ word: Substring, in text: String) -> Bool {
        var text = text
        var name = String(word)
        return text.withUTF8 { text in name.withUTF8 { name in text.count(of: name, atMost: 2) } }
            > 1
    }

    /// Words that open what people say to each other, capitalised or not.
    private static let openers: Set<String> = [
        "hey", "hi", "hello", "wow", "yeah", "yes", "no", "thanks", "thank", "oh", "well", "sure",
        "great", "nice",
        "cool", "awesome", "congrats",
        "okay", "ok", "im", "i'm", "i've", "i'll", "it's", "that's", "also", "sorry", "please",
        "maybe", "good",
        "sounds", "glad", "haha", "lol",
    ]

    /// The longest content words, as a short description of what the text is about.
    ///
    /// - Parameter words: ``TextAnalyzer/words(_:)`` of the text.
    static func keywords(_ words: [String], limit: Int = 8) -> [String] {
        var indexes: [String: Int] = [:]
        var found: [(word: String, count: Int, length: Int)] = []
        let stopWords = TextAnalyzer.stopWords
        for word in words where word.utf8.count > 3 && !stopWords.contains(word) {
            let length = word.unicodeScalars.count
            guard length > 3 else { continue }
            if let index = indexes[word] {
                found[index].count += 1
            } else {
                indexes[word] = found.count
                found.append((word, 1, length))
            }
        }
        return found.sorted { ($0.count, $0.length) > ($1.count, $1.length) }.prefix(limit).map(
            \.word)
    }
}

extension Substring.UnicodeScalarView {
    /// Without scalars of a kind at both ends.
    func trimming(_ drop: (Unicode.Scalar) -> Bool) -> Substring.UnicodeScalarView {
        guard let first = firstIndex(where: { !drop($0) }),
            let last = lastIndex(where: { !drop($0) })
        else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The number of times that `needle` occurs in the bytes, without overlap, counted to `limit`.
    func count(of needle: UnsafeBufferPointer<UInt8>, atMost limit: Int) -> Int {
        guard let start = baseAddress, let wanted = needle.baseAddress, !needle.isEmpty else {
            return 0
        }
        var index = 0
        var found = 0
        while found < limit, index + needle.count <= count,
            let hit = memchr(start + index, Int32(wanted[0]), count - index - needle.count + 1)
        {
            index = UnsafePointer(hit.assumingMemoryBound(to: UInt8.self)) - start
            if memcmp(start + index, wanted, needle.count) == 0 {
                found += 1
                index += needle.count
            } else {
                index += 1
            }
        }
        return found
    }
}

extension [UInt8] {
    /// True if `needle` stands somewhere in the bytes.
    func holds(_ needle: [UInt8]) -> Bool {
        withUnsafeBufferPointer { bytes in
            needle.withUnsafeBufferPointer { bytes.count(of: $0, atMost: 1) }
        } > 0
    }
}
