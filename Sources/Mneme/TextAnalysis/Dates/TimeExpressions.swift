public import Foundation
import MnemeIndex

/// A span of time named in a text.
public struct TimeExpression: Sendable, Equatable {
    /// The words that name it.
    public var text: String
    /// The span; the end is not part of it.
    public var start, end: Date
    /// True if the text fixed the year; otherwise the same days of any year are meant.
    public var fixesYear: Bool

    /// The proximity of `date` to the expression, 0…1: 1 inside a short span, 0.6 inside a longer
    /// one, falling over days outside a short one.
    public func proximity(to date: Date) -> Double {
        var start = start
        var end = end
        if !fixesYear {
            let calendar = TimeExpressions.calendar
            let shift =
                calendar.component(.year, from: date) - calendar.component(.year, from: start)
            start = calendar.date(byAdding: .year, value: shift, to: start) ?? start
            end = calendar.date(byAdding: .year, value: shift, to: end) ?? end
        }
        let isShort = end.timeIntervalSince(start) <= 3 * 86_400
        if date >= start && date < end { return isShort ? 1 : 0.6 }
        guard isShort else { return 0 }
        let days =
            (date < start ? start.timeIntervalSince(date) : date.timeIntervalSince(end)) / 86_400
        return exp(-days / 3)
    }
}

/// Finds dates in texts and resolves them against a reference time, by rule.
///
/// Understands days ("yesterday", "the day after tomorrow", "the Friday before last", "8 May 2023",
/// "31.12.2026", "on the 5th", "Christmas Eve"), spans ("last week", "end of Q1 2027", "2026-W48",
/// "this weekend", "last summer") and distances ("two weeks ago", "a week from Monday", "in half a
/// year"). A weekday alone lies ahead, unless the verb stands in the past. What recurs ("every
/// Monday") is no date, and a known word beside an unknown modifier is none either: a wrong date is
/// worse than none. A date that can be read in two ways (12/11/2026) gives both.
///
/// English is read by a grammar. For ten other languages tables say what their phrases are in English
/// ("hace dos semanas": 2 weeks ago); there a weekday alone gives the last and the coming one.
///
/// Times of day are not resolved. Days are those of the clock that the reference was read from,
/// written as UTC.
public enum TimeExpressions {
    /// The calendar that spans are counted in.
    static let calendar = UTCCalendar.gregorian

    /// Expressions of one text that are kept.
    private static let limit = 16

    /// The time expressions of `text`, in order, the first sixteen.
    ///
    /// - Parameters:
    ///   - text: any text; of languages that are not known, dates in figures are found.
    ///   - reference: what "now" means: the time on the speaker's clock, taken as UTC.
    /// - Complexity: linear in the words.
    public static func find(in text: String, reference: Date) -> [TimeExpression] {
        find(in: text, words: TextAnalyzer.words(text), reference: reference)
    }

    /// As ``find(in:reference:)``, with `TextAnalyzer.words(_:)` of the text.
    static func find(in text: String, words: [String], reference: Date) -> [TimeExpression] {
        let english = english(in: text, reference: reference)
        // Most texts have no word of a table.
        if TimePhrases.holdsNoWord(text, words: words) { return Array(english.prefix(limit)) }
        let lower = PhraseToken.readable(text)
        let reader = PhraseReader(text: lower, tokens: PhraseToken.tokens(of: lower), reference: reference)
        let likely = TimePhrases.tables(for: text, words: words)
        if let found = likely.lazy.map({ reader.dates(by: $0, limit) }).first(where: { !$0.isEmpty }) {
            // English words inside of other texts are other words; dates in figures are the same.
            let figures = english.filter { date in
                date.text.first?.isNumber == true && !found.contains { $0.text.contains(date.text) }
            }
            return Array((found + figures).prefix(limit))
        }
        guard likely.isEmpty else { return english }
        // Few words tell no language, but "volgende week" is Dutch wherever it stands.
        let found = TimePhrases.ownSentences(of: reader.tokens).sorted { $0.key < $1.key }
            .map { reader.dates(by: TimePhrases.all[$0.key], limit, within: $0.value) }
            .max { $0.count < $1.count }
        return Array((english + (found ?? [])).prefix(limit))
    }

    /// The expressions of an English text.
    package static func english(in text: String, reference: Date) -> [TimeExpression] {
        let tokens = TimeToken.tokens(of: text)
        guard tokens.contains(where: { TimeMatcher.canOpen($0.text) }) else { return [] }
        let matcher = TimeMatcher(tokens: tokens, today: UTCCalendar.startOfDay(reference))
        var found: [TimeExpression] = []
        var i = 0
        while i < tokens.count, found.count < limit {
            guard let match = matcher.match(at: i) else {
                i += 1
                continue
            }
            let words = tokens[i..<i + match.count].map(\.text).joined(separator: " ")
            if !matcher.isDenied(i) {
                found += match.spans.map { span in
                    TimeExpression(
                        text: words, start: span.start, end: span.end, fixesYear: span.fixesYear)
                }
            }
            i += match.count
        }
        return found
    }
}

/// Reads a text by tables of phrases.
private struct PhraseReader {
    /// The text, composed and in lower case.
    let text: String
    /// Its words.
    let tokens: [PhraseToken]
    /// What "now" means.
    let reference: Date

    /// The first dates of the text in the language of a table.
    ///
    /// - Parameter sentences: those to look at, for phrases that are of that language whatever stands
    ///   around; nil for all phrases of all sentences.
    func dates(by table: TimePhrases, _ limit: Int, within sentences: Set<Int>? = nil) -> [TimeExpression] {
        var found: [TimeExpression] = []
        var i = 0
        while i < tokens.count, found.count < limit {
            guard sentences?.contains(tokens[i].sentence) ?? true, let match = table.match(tokens, at: i),
                sentences == nil || table.isDistinct(tokens[i..<i + match.count])
            else {
                i += 1
                continue
            }
            let words = text[tokens[i].range.lowerBound..<tokens[i + match.count - 1].range.upperBound]
            for reading in match.english {
                for var date in TimeExpressions.english(in: reading, reference: reference).prefix(2) {
                    date.text = String(words)
                    if !found.contains(date) { found.append(date) }
                }
            }
            i += match.count
        }
        return found
    }
}
