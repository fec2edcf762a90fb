import Foundation
import MnemeIndex

/// Dates of the calendar: "8 May 2023", "31.12.2026", "on the 5th", "Q1 2027", "Christmas Eve",
/// "Friday".
extension TimeMatcher {
    /// A day or span of any year, and how many words name it.
    typealias Yearless = (span: (Int) -> DaySpan?, count: Int)

    // MARK: Digits

    /// 2026-12-31, 20261231, 2026-W48, 2026-12, 31.12.2026, 12/11/2026
    func numeric(at i: Int) -> Match? {
        let word = tokens[i].text
        guard let first = word.unicodeScalars.first, first.isDigit else { return nil }
        if word.utf8.count == 8, let number = Int(word), (1900...2100).contains(number / 10_000) {
            return Days.span(Days.date(number / 10_000, number / 100 % 100, number % 100)).map {
                Match($0, 1)
            }
        }
        if word.utf8.count == 7, word.dropFirst(4).hasPrefix("w"),
            let spans = numeric([word.prefix(4), word.dropFirst(4)], "-")
        {
            return Match(spans: spans, 1)
        }
        if word.utf8.count == 5, word.hasSuffix("s"), let decade = year(String(word.dropLast())),
            decade % 10 == 0
        {
            return Match(
                Days.span(
                    Days.date(decade, 1, 1), decade % 100 == 0 && word.hasPrefix("19") ? 100 : 10,
                    .year), 1)
        }
        // The time of day that ISO 8601 puts behind a day.
        let day = word.split(separator: "t", maxSplits: 1).first.map(String.init) ?? word
        for mark in ["-", "/", "."] as [Character] where day.contains(mark) {
            let parts = day.split(separator: mark, omittingEmptySubsequences: false)
            if let spans = numeric(parts, mark) { return Match(spans: spans, 1) }
        }
        return plainYear(at: i)
    }

    /// The days that numbers with a mark between them can mean: `2026-05-08`, `8.5.2026`,
    /// `5/8/2026`. Two where day and month can be exchanged; points are read day first, as where
    /// they are written.
    private func numeric(_ parts: [Substring], _ mark: Character) -> [DaySpan]? {
        if mark == "-", (2...3).contains(parts.count), let year = year(String(parts[0])),
            parts[1].hasPrefix("w"),
            let week = Int(parts[1].dropFirst()), let span = Days.week(week, of: year)
        {
            guard parts.count == 3 else { return [span] }
            guard let day = Int(parts[2]), (1...7).contains(day) else { return nil }
            return Days.span(Days.adding(day - 1, to: span.start)).map { [$0] }
        }
        let numbers = parts.compactMap { $0.utf8.count <= 4 ? Int($0) : nil }
        guard numbers.count == parts.count else { return nil }
        if parts.count == 2, mark == "-", let year = year(String(parts[0])),
            parts[1].utf8.count == 2
        {
            return Days.month(year, numbers[1]).map { [$0] }
        }
        guard parts.count == 3 else { return nil }
        if let year = year(String(parts[0])) {
            return Days.span(Days.date(year, numbers[1], numbers[2])).map { [$0] }
        }
        guard let year = year(String(parts[2])), parts[0].utf8.count <= 2, parts[1].utf8.count <= 2
        else { return nil }
        // With full stops the day comes first; otherwise either may, and both are kept where both
        // can be.
        var dates = [Days.date(year, numbers[1], numbers[0])]
        if mark != "." { dates.append(Days.date(year, numbers[0], numbers[1])) }
        let spans = dates.compactMap { Days.span($0) }
        guard let first = spans.first else { return nil }
        return spans.count == 2 && spans[1] != first
            ? [first, spans[1]].sorted { $0.start < $1.start } : [first]
    }

    /// A year alone, such as "in 2019": four digits behind a preposition, as others are numbers.
    private func plainYear(at i: Int) -> Match? {
        guard let year = year(tokens[i].text) else { return nil }
        if let quarter = quarter(word(i + 1, from: i)) {
            return Match(Days.quarter(year, quarter), 2)
        }
        guard TimeWords.beforeYear.contains(word(i - 1, from: i)) else { return nil }
        return Match(Days.year(year), 1)
    }

    // MARK: Days and months

    /// A year behind a date: "2027", "of last year"; how many words, too.
    private func year(at index: Int, from i: Int) -> (year: Int, count: Int)? {
        let of = ["of", "in"].contains(word(index, from: i)) ? 1 : 0
        let next = word(index + of, from: i)
        if let year = year(next) { return (year, 1 + of) }
        let now = Days.year(of: today)
        if word(index + of + 1, from: i) == "year", let direction = TimeWords.directions[next] {
            return (now + direction, 2 + of)
        }
        let the = next == "the" ? 1 : 0
        let start = index + of + the
        guard word(start, from: i) == "year" else { return nil }
        if word(start + 1, from: i) == "before", word(start + 2, from: i) == "last" {
            return (now - 2, of + the + 3)
        }
        if word(start + 1, from: i) == "after", word(start + 2, from: i) == "next" {
            return (now + 2, of + the + 3)
        }
        return nil
    }

    /// Reads a time that comes every year: a day of a month, a month, a quarter, a season, a
    /// holiday.
    func yearless(at i: Int) -> Yearless? {
        let word = tokens[i].text
        if let (days, month, used) = dayAndMonth(at: i) {
            return (
                { year in
                    Days.date(year, month, days.lowerBound).flatMap { first in
                        Days.date(year, month, days.upperBound).flatMap { _ in
                            Days.span(first, days.count)
                        }
                    }
                }, used
            )
        }
        if let month = TimeWords.months[word] { return ({ Days.month($0, month) }, 1) }
        if let quarter = quarter(word) { return ({ Days.quarter($0, quarter) }, 1) }
        if let season = TimeWords.seasons[word], word != "winter" {
            return ({ Days.span(Days.date($0, season, 1), 3, .month) }, 1)
        }
        if let (day, used) = holidayName(at: i, from: i) {
            return ({ Days.span(day.day(in: $0)) }, used)
        }
        return nil
    }

    /// The number of "8th", in digits.
    private func ordinal(_ word: String) -> Int? {
        let number = suffixedOrdinal(word) ?? (word.utf8.count <= 2 ? Int(word) : nil)
        return number.flatMap { (1...31).contains($0) ? $0 : nil }
    }

    /// The days that a word or two name: "8", "8th", "8-10"; in front of a month "twenty-first",
    /// too.
    private func days(at i: Int, from start: Int) -> (days: ClosedRange<Int>, count: Int)? {
        let word = word(i, from: start)
        if let day = ordinal(word) {
            let next = self.word(i + 1, from: start)
            if ["to", "until", "till", "through", "and"].contains(next),
                let last = ordinal(self.word(i + 2, from: start)), last > day
            {
                return (day...last, 3)
            }
            return (day...day, 1)
        }
        let parts = word.split(separator: "-")
        if parts.count == 2, let first = ordinal(String(parts[0])),
            let last = ordinal(String(parts[1])), first < last
        {
            return (first...last, 1)
        }
        if let tens = TimeWords.tens[word],
            let ones = TimeWords.ordinals[self.word(i + 1, from: start)],
            (1...9).contains(ones), tens <= 30
        {
            return tens + ones <= 31 ? (tens + ones...tens + ones, 2) : nil
        }
        guard let day = TimeWords.ordinals[word], day > 0 else { return nil }
        return (day...day, 1)
    }

    /// "8 May", "the 8th of May", "May 8", "June 3-7"
    private func dayAndMonth(at i: Int) -> (days: ClosedRange<Int>, month: Int, count: Int)? {
        if let month = TimeWords.months[tokens[i].text] {
            let the = word(i + 1, from: i) == "the" ? 1 : 0
            guard !tokens[i].endsClause, let (days, used) = days(at: i + 1 + the, from: i),
                year(word(i + 1 + the, from: i)) == nil,
                the == 0 || suffixedOrdinal(word(i + 1 + the, from: i)) != nil
            else { return nil }
            // "May 5 people come?": a word for a number is none, and digits before a unit are not a
            // day.
            guard
                suffixedOrdinal(word(i + 1 + the, from: i)) != nil
                    || TimeWords.units[word(i + 1 + the + used, from: i)] == nil
            else { return nil }
            // "June 3 and 7" is two days.
            return used == 3 && word(i + 2 + the, from: i) == "and"
                ? (days.lowerBound...days.lowerBound, month, 2 + the)
                : (days, month, 1 + the + used)
        }
        guard let (days, used) = days(at: i, from: i) else { return nil }
        let of = word(i + used, from: i) == "of" ? 1 : 0
        guard let month = TimeWords.months[word(i + used + of, from: i)] else { return nil }
        if used == 3, word(i + 1, from: i) == "and" { return nil }
        // "second May" is no day.
        guard
            of == 1
                || TimeWords.ordinals[tokens[i].text] == nil
                    && TimeWords.tens[tokens[i].text] == nil
        else {
            return nil
        }
        return (days, month, used + of + 1)
    }

    /// The tense around an expression of so many words.
    private func tense(_ i: Int, _ count: Int) -> Tense {
        TenseReader(tokens: tokens).tense(before: i, after: i + count)
    }

    /// A span of the year that is named behind it, or of the one that the tense tells.
    private func inYear(_ yearless: Yearless, at i: Int) -> Match {
        if let (year, used) = year(at: i + yearless.count, from: i) {
            return Match(yearless.span(year), yearless.count + used)
        }
        let span = Days.choose(tense(i, yearless.count), today: today, yearless.span)
        return Match(span?.ofAnyYear, yearless.count, isBare: true)
    }

    /// "8 May 2023", "May 8", "on the 5th", "the 5th of next month"
    func dayOfMonth(at i: Int) -> Match? {
        if let (days, _, _) = dayAndMonth(at: i), let yearless = yearless(at: i) {
            let match = inYear(yearless, at: i)
            // 31 February
            return match.spans.isEmpty && days.count == 1 ? .none(yearless.count) : match
        }
        guard let day = suffixedOrdinal(tokens[i].text), (1...31).contains(day) else { return nil }
        let next = word(i + 1, from: i)
        if next == "of" {
            // "the 5th of next month"
            let the = word(i + 2, from: i) == "the" ? 1 : 0
            guard let direction = TimeWords.directions[word(i + 2, from: i)],
                word(i + 3, from: i) == "month"
            else {
                return TimeWords.units[word(i + 2 + the, from: i)] != nil ? .none(3 + the) : nil
            }
            guard let month = relative("month", direction) else { return .none(4) }
            return Match(
                Days.span(Days.date(Days.year(of: month.start), Days.month(of: month.start), day)),
                4)
        }
        guard word(i - 1, from: i) == "the", TimeWords.beforeDay.contains(word(i - 2, from: i)),
            next.isEmpty || tokens[i].endsClause || TextAnalyzer.stopWords.contains(next)
        else { return nil }
        return Match(nearest(day, tense(i, 1)), 1, isBare: true)
    }

    /// The day of a month that lies ahead, or behind.
    private func nearest(_ day: Int, _ tense: Tense) -> DaySpan? {
        guard tense != .unclear, let month = relative("month", 0) else { return nil }
        for step in 0...3 {
            guard let first = Days.adding(tense == .past ? -step : step, .month, to: month.start),
                let date = Days.date(Days.year(of: first), Days.month(of: first), day)
            else { continue }
            // Said on that very day it may be either.
            if date == today { return nil }
            if tense == .past ? date < today : date > today { return Days.span(date) }
        }
        return nil
    }

    /// "May 2023", "in May last year", "Q1 2027", "summer 2024"
    func monthOrQuarter(at i: Int) -> Match? {
        let word = tokens[i].text
        let previous = self.word(i - 1, from: i)
        let next = self.word(i + 1, from: i)
        if word == "winter", let year = year(next) { return Match(Days.year(year), 2) }
        if word == "h1" || word == "h2" {
            guard let year = year(next) else { return nil }
            return Match(Days.span(Days.date(year, word == "h1" ? 1 : 7, 1), 6, .month), 2)
        }
        let isMonth = TimeWords.months[word] != nil
        let isQuarter = quarter(word) != nil
        guard isMonth || isQuarter || TimeWords.seasons[word] != nil, let yearless = yearless(at: i)
        else { return nil }
        // A year that does not begin in January.
        if previous.hasPrefix("fy") || next.hasPrefix("fy") || previous == "fiscal"
            || next == "fiscal"
        {
            return .none(1)
        }
        if let (year, used) = year(at: i + 1, from: i),
            isMonth || isQuarter || self.word(i + 1, from: i) != "in"
        {
            return Match(yearless.span(year), 1 + used)
        }
        if isQuarter {
            guard TimeWords.beforeMonth.contains(previous) || TimeWords.parts[previous] != nil
            else { return nil }
        } else if isMonth {
            if TimeWords.determiners.contains(previous) {
                return TimeWords.doubtfulMonths.contains(word) ? nil : .none(1)
            }
            // "may" and "march" are words, April is a name; short names need a preposition as well.
            if previous == "this", TimeWords.doubtfulMonths.contains(word), !tokens[i].isCapital {
                return nil
            }
            guard
                !TimeWords.doubtfulMonths.contains(word) && word.utf8.count > 3
                    || TimeWords.beforeMonth.contains(previous)
            else { return nil }
        } else {
            return nil
        }
        return Match(
            Days.choose(tense(i, 1), today: today, yearless.span)?.ofAnyYear, 1, isBare: true)
    }

    /// The number of "q1" to "q4".
    private func quarter(_ word: String) -> Int? {
        guard word.utf8.count == 2, word.hasPrefix("q"), let number = Int(word.dropFirst()),
            (1...4).contains(number)
        else { return nil }
        return number
    }

    // MARK: Holidays and weekdays

    /// The longest name of a holiday at a place.
    func holidayName(at index: Int, from i: Int) -> (day: TimeWords.Holiday, count: Int)? {
        guard tokens.indices.contains(index),
            TimeWords.holidayOpeners.contains(word(index, from: i))
        else {
            return nil
        }
        return TimeWords.holidays.first { holiday in
            holiday.words.indices.allSatisfy { word(index + $0, from: i) == holiday.words[$0] }
        }.map { ($0.day, $0.words.count) }
    }

    /// "Christmas Eve", "at Easter 2027", "Halloween last year"
    func holiday(at i: Int, needsPreposition: Bool = true) -> Match? {
        guard let (day, used) = holidayName(at: i, from: i) else { return nil }
        let name = tokens[i..<i + used].map(\.text).joined(separator: " ")
        let next = word(i + used, from: i)
        let yearless: Yearless = ({ Days.span(day.day(in: $0)) }, used)
        if needsPreposition, TimeWords.doubtfulHolidays.contains(name),
            year(at: i + used, from: i) == nil
        {
            // "Christmas tree", "a Christmas"
            guard TimeWords.beforeHoliday.contains(word(i - 1, from: i)),
                next.isEmpty || tokens[i + used - 1].endsClause
                    || TextAnalyzer.stopWords.contains(next)
            else { return .none(used) }
        }
        return inYear(yearless, at: i)
    }

    /// "over the weekend": the last one or the next.
    func weekend(at i: Int) -> Match? {
        if tokens[i].text == "weekend", word(i + 1, from: i) == "of",
            let anchor = anchor(at: i + 2, from: i, depth: 1)
        {
            guard let day = anchor.span, day.isDay, let monday = Days.monday(of: day.start) else {
                return .none(2 + anchor.count)
            }
            return Match(Days.span(Days.adding(5, to: monday), 2), 2 + anchor.count)
        }
        guard tokens[i].text == "weekend", word(i - 1, from: i) == "the",
            ["at", "on", "over", "for", "during"].contains(word(i - 2, from: i)),
            !["of", "before", "after", "that", "when", "where", "in", "following"].contains(
                word(i + 1, from: i)),
            let this = relative("weekend", 0), today < this.start
        else { return nil }
        switch tense(i, 1) {
        case .past: return Match(relative("weekend", -1), 1, isBare: true)
        case .present, .future: return Match(this, 1, isBare: true)
        case .unclear: return nil
        }
    }

    /// The weekday that a word names; short names only with a capital, as "sun" and "sat" are
    /// words.
    private func weekdayName(at index: Int, from i: Int) -> Int? {
        let word = word(index, from: i)
        if let weekday = TimeWords.weekdays[word] { return weekday }
        // Short names are words, too: they stand with a capital behind a preposition.
        guard let weekday = TimeWords.weekdayAbbreviations[word], tokens[index].isCapital else {
            return nil
        }
        return weekday
    }

    /// "on Friday", "Friday, 4 December", "Tuesday next week", "Monday week"
    func weekday(at i: Int) -> Match? {
        guard let weekday = weekdayName(at: i, from: i) else { return nil }
        let previous = word(i - 1, from: i)
        let next = word(i + 1, from: i)
        let isShort = TimeWords.weekdays[tokens[i].text] == nil
        // "Friday, 4 December"
        let on = next == "the" || next == "on" ? 1 : 0
        if tokens.indices.contains(i + 1 + on), tokens[i + 1 + on].sentence == tokens[i].sentence {
            if let day = dayOfMonth(at: i + 1 + on) ?? numeric(at: i + 1 + on), !day.spans.isEmpty {
                return Match(spans: day.spans, 1 + on + day.count)
            }
            // "Friday the 13th" of whichever month is none, unless the next or the last 13th is a
            // Friday.
            if on == 1, next == "the", let day = suffixedOrdinal(word(i + 2, from: i)) {
                let near = nearest(day, tense(i, 3))
                return Match(
                    near.flatMap { Days.weekday(of: $0.start) == weekday ? $0 : nil }, 3,
                    isBare: true)
            }
        }
        if let weeks = weeksBehind(i), let near = upcoming(weekday) {
            return Match(shifted(near, 7 * weeks, .day), 2)
        }
        if let match = weekdayOfWeek(weekday, at: i) { return match }
        // "Monday to Friday", "Mon-Fri"
        if weekdayName(at: i + 1, from: i) != nil, !tokens[i].endsClause { return .none(2) }
        if ["to", "through", "thru", "till", "until"].contains(next),
            weekdayName(at: i + 2, from: i) != nil
        {
            return .none(3)
        }
        if isShort, !TimeWords.beforeDay.contains(previous) { return nil }
        guard !TimeWords.determiners.contains(previous), !TimeWords.pluralPartsOfDay.contains(next),
            next != "of"
        else {
            return .none(1)
        }
        // Said on that very day it may be this or another one.
        let ahead = (weekday - Days.weekday(of: today) + 7) % 7
        guard ahead > 0 else { return .none(1) }
        switch tense(i, 1) {
        case .past: return Match(Days.span(Days.adding(ahead - 7, to: today)), 1, isBare: true)
        case .present, .future:
            return Match(Days.span(Days.adding(ahead, to: today)), 1, isBare: true)
        case .unclear: return .none(1)
        }
    }

    /// The next such day, today included.
    private func upcoming(_ weekday: Int) -> DaySpan? {
        Days.span(Days.adding((weekday - Days.weekday(of: today) + 7) % 7, to: today))
    }

    /// "Tuesday next week", "Friday of last week", "Monday the week after next"
    private func weekdayOfWeek(_ weekday: Int, at i: Int) -> Match? {
        guard !tokens[i].endsClause else { return nil }
        var index = i + 1
        for filler in ["in", "of", "the"] where word(index, from: i) == filler { index += 1 }
        if let direction = TimeWords.directions[word(index, from: i)],
            word(index + 1, from: i) == "week"
        {
            return Match(Days.weekday(weekday, 1, in: relative("week", direction)), index + 2 - i)
        }
        let direction = word(index + 2, from: i) == "last" ? -1 : 1
        guard word(index, from: i) == "week",
            word(index + 1, from: i) == (direction < 0 ? "before" : "after"),
            word(index + 2, from: i) == (direction < 0 ? "last" : "next"),
            let week = relative("week", direction)
        else { return nil }
        return Match(
            Days.weekday(weekday, 1, in: shifted(week, 7 * direction, .day)), index + 3 - i)
    }
}
