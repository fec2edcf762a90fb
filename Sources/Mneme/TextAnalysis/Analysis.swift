package import Foundation
package import MnemeCube
package import MnemeIndex

/// The indexed features of a text: its terms, and a few cues about what it could answer.
///
/// Layout of ``encoded``: one byte of cues (bit 0 a time expression, bit 1 a number, bits 2-3
/// proper names up to 2, bits 4-7 how many entities), a hash of each entity (u32, little-endian),
/// then ``TermCounts``.
package struct Analysis: Sendable {
    /// Names the analyzer and the layout.
    static let version = TextAnalyzer.version + "/cues-3"

    /// Cues for questions that ask when, or how many.
    package var hasTime = false, hasNumber = false
    /// The number of names: 0, 1, or 2 for two or more.
    package var names = 0
    /// Hashes of what the text names, at most 15.
    package var entities: [UInt32] = []
    /// Stemmed words and how often each stands in the text, for BM25.
    package var terms: TermCounts

    /// Analyses a memory. Speaker and date are terms too: questions name them.
    ///
    /// - Parameters:
    ///   - words: ``TextAnalyzer/words(_:)`` of `text`.
    ///   - entities: ``TextFacts/entities(in:speaker:limit:)`` of it.
    ///   - eventTime: on the speaker's clock, taken as UTC.
    package init(
        text: String, words: [String], entities: [String], speaker: String?, eventTime: Date,
        analyzer: TextAnalyzer
    ) {
        let parts = TimeExpressions.calendar.dateComponents([.year, .month, .day], from: eventTime)
        let number = (parts.month ?? 1) - 1
        let month = UTCCalendar.monthNames[number]
        let date = [String(parts.day ?? 1), month, String(parts.year ?? 1970)]
        let around = TextAnalyzer.words(speaker ?? "") + date
        let language = LanguageFinder.language(ofWords: words)
        if let language {
            let words =
                language.words(of: text, words)
                + (language.months.count == 12 ? [language.months[number]] : [])
            terms = TermCounts(
                analyzer.terms(ofWords: around) + analyzer.terms(ofWords: words, in: language))
        } else {
            terms = TermCounts(analyzer.terms(ofWords: around + words))
        }
        for word in words {
            if let language {
                if language.timeWords.contains(word) { hasTime = true }
                if language.numberWords.contains(word) { hasNumber = true }
            }
            if Self.timeWords.contains(word)
                || (word.utf8.count == 4 && Int(word).map { (1900...2099).contains($0) } ?? false)
            {
                hasTime = true
            }
            if Self.numberWords.contains(word)
                || word.utf8.first.map({ (48...57).contains($0) }) ?? false
            {
                hasNumber = true
            }
        }
        names = min(2, Self.nameCount(text))
        // The speaker is a feature of its own, and would connect all that one says.
        let spoken = speaker.map(TextFolding.folded)
        for entity in entities where self.entities.count < 15 {
            let name = TextFolding.folded(entity)
            let hash = TermCounts.hash(name)
            if name != spoken, !Self.timeWords.contains(name), !self.entities.contains(hash) {
                self.entities.append(hash)
            }
        }
    }

    /// Analyses a memory as it stands.
    package init(of cube: MemCube, analyzer: TextAnalyzer) {
        self.init(
            text: cube.text, words: TextAnalyzer.words(cube.text), entities: cube.entities,
            speaker: cube.speaker,
            eventTime: cube.localTime,
            analyzer: analyzer)
    }

    /// The analysis of an empty text.
    static let empty = Analysis(terms: TermCounts([]))
    private init(terms: TermCounts) { self.terms = terms }

    /// Reads what ``encoded`` wrote; nil if the bytes are cut off or of another layout.
    package init?(encoded bytes: [UInt8]) {
        guard let cues = bytes.first, bytes.count >= 1 + 4 * Int(cues >> 4),
            let terms = TermCounts(encoded: Array(bytes.dropFirst(1 + 4 * Int(cues >> 4))))
        else { return nil }
        self.terms = terms
        entities = bytes.withUnsafeBytes { bytes in
            (0..<Int(cues >> 4)).map {
                UInt32(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: 1 + 4 * $0, as: UInt32.self))
            }
        }
        hasTime = cues & 1 != 0
        hasNumber = cues & 2 != 0
        names = Int(cues >> 2 & 3)
    }

    /// The part of what ``encoded`` wrote that holds the terms, as ``TermCounts/encoded`` has them.
    static func terms(in encoded: Data) -> Data {
        encoded.dropFirst(encoded.first.map { 1 + 4 * Int($0 >> 4) } ?? 0)
    }

    /// As it is stored beside the text, so that an index is built without analysing texts again.
    package var encoded: [UInt8] {
        [(hasTime ? 1 : 0) | (hasNumber ? 2 : 0) | UInt8(names) << 2 | UInt8(entities.count) << 4]
            + entities.flatMap { hash in
                (0..<4).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt32($0))) }
            }
            + terms.encoded
    }

    /// Words that name a time: a text with one may answer "when". As entities they would connect
    /// what has nothing in common.
    private static let timeWords: Set<String> = Set(
        UTCCalendar.monthNames + [
            "yesterday", "today", "tonight", "tomorrow", "last", "next", "ago", "week", "weekend",
            "month", "year",
            "monday", "tuesday", "wednesday",
            "thursday", "friday", "saturday", "sunday", "morning", "recently", "since", "day",
            "days",
        ])
    /// Words for numbers: a text with one may answer "how many".
    private static let numberWords: Set<String> = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "once",
        "twice", "few",
        "several", "couple", "dozen", "hundred",
    ]

    /// Capitalised words inside a sentence (after a lower-case letter or a comma and a space).
    private static func nameCount(_ text: String) -> Int {
        var count = 0
        var before: (UInt8, UInt8) = (0, 0)
        for byte in text.utf8 {
            if (65...90).contains(byte), before.1 == 32,
                (97...122).contains(before.0) || before.0 == 44
            {
                count += 1
            }
            before = (before.1, byte)
        }
        return count
    }
}
