import Foundation

/// Periods: "last week", "next May", "end of Q1 2027", "the first Monday of December".
extension TimeMatcher {
    /// "last Friday", "this weekend", "the next two weeks", "next week on Tuesday", "last year in
    /// May"
    func directed(at i: Int, depth: Int) -> Match? {
        let word = tokens[i].text
        let next = self.word(i + 1, from: i)
        if word == "following" || word == "previous" { return isPeriod(next) ? .none(2) : nil }
        guard let direction = TimeWords.directions[word] else { return nil }
        if word == "last", self.word(i - 1, from: i) == "to", self.word(i - 2, from: i) == "next",
            isPeriod(next)
        {
            return .none(2)
        }
        if direction == 0, TimeWords.directions[next] != nil, next != "this" {
            // "this past Friday"
            return directed(at: i + 1, depth: depth).map { Match($0.spans.first, $0.count + 1) }
        }
        if word == "last", next == "night" {
            return Match(Days.span(Days.adding(-1, to: today)), 2)
        }
        if direction == 0, TimeWords.partsOfDay.contains(next) { return Match(Days.span(today), 2) }
        // "the last three weeks": from then until now.
        if direction != 0, next != "a", next != "an", let (amount, used) = amount(at: i + 1) {
            return Match(upTo(amount, direction), 1 + used)
        }
        if word == "past", let unit = TimeWords.units[next], unit.component != .day {
            return Match(upTo(Amount(low: 1, high: 1, unit: unit), -1), 2)
        }
        if let (day, used) = holidayName(at: i + 1, from: i) {
            let span = { (year: Int) in Days.span(day.day(in: year)) }
            let found =
                switch direction {
                case -1:
                    Days.choose(.past, today: today) {
                        span($0).flatMap { $0.start < today ? $0 : nil }
                    }
                case 1:
                    Days.choose(.future, today: today) {
                        span($0).flatMap { $0.start > today ? $0 : nil }
                    }
                default: Days.choose(.present, today: today, span)
                }
            return Match(found, 1 + used)
        }
        if TimeWords.months[next] != nil {
            // "This may take a while"
            if direction == 0, TimeWords.doubtfulMonths.contains(next), !tokens[i + 1].isCapital {
                return nil
            }
            // "last May 8"
            if let (day, used) = yearless(at: i + 1), used > 1 {
                return Match(
                    Days.choose(direction < 0 ? .past : .future, today: today, day), 1 + used)
            }
        }
        guard let span = relative(next, direction) else { return nil }
        var index = i + 2
        if next == "year" {
            // "last year in May", "next year at Easter"
            if ["in", "on", "at", "around"].contains(self.word(index, from: i)) { index += 1 }
            guard tokens.indices.contains(index), tokens[index].sentence == tokens[i].sentence,
                index > i + 2,
                let (yearless, used) = yearless(at: index),
                let part = yearless(Days.year(of: span.start))
            else { return Match(span, 2) }
            return Match(part, index - i + used)
        }
        if next == "week" {
            // "next week on Tuesday"
            if self.word(index, from: i) == "on" { index += 1 }
            guard !tokens[index - 1].endsClause,
                let weekday = TimeWords.weekdays[self.word(index, from: i)]
            else {
                return Match(span, 2)
            }
            return Match(Days.weekday(weekday, 1, in: span), index + 1 - i)
        }
        if TimeWords.weekdays[next] != nil {
            // "last Monday of …" is another one if what follows is a period, and none if it is
            // unknown.
            if self.word(index, from: i) == "of" { return .none(2) }
            // "this Friday the 13th" says it once more.
            return Match(span, 2)
        }
        return Match(span, 2)
    }

    /// True if a word names a span that has parts: a month, a year, a season.
    private func isPeriod(_ word: String) -> Bool {
        TimeWords.units[word] != nil || TimeWords.weekdays[word] != nil
            || TimeWords.months[word] != nil
            || word == "weekend"
    }

    /// The last, this or the next one of what has a name.
    func relative(_ name: String, _ direction: Int) -> DaySpan? {
        let weekday = Days.weekday(of: today)
        let year = Days.year(of: today)
        let month = Days.month(of: today)
        guard let monday = Days.monday(of: today) else { return nil }
        switch name {
        case "week": return Days.span(Days.adding(7 * direction, to: monday), 7)
        case "weekend": return Days.span(Days.adding(5 + 7 * direction, to: monday), 2)
        case "fortnight":
            return direction == 0
                ? nil
                : upTo(
                    Amount(low: 1, high: 1, unit: .init(component: .weekOfYear, factor: 2)),
                    direction)
        case "month":
            return Days.month(year, month).flatMap {
                Days.span(Days.adding(direction, .month, to: $0.start), 1, .month)
            }
        case "quarter":
            let start = Days.date(year, (month - 1) / 3 * 3 + 1, 1)
            return Days.span(
                start.flatMap { Days.adding(3 * direction, .month, to: $0) }, 3, .month)
        case "year": return Days.year(year + direction)
        case "decade": return Days.span(Days.date(year / 10 * 10 + 10 * direction, 1, 1), 10, .year)
        default: break
        }
        if let wanted = TimeWords.weekdays[name] ?? TimeWords.weekdayAbbreviations[name] {
            var difference = (wanted - weekday + 7) % 7
            if direction < 0 { difference = difference == 0 ? -7 : difference - 7 }
            if direction > 0, difference == 0 { difference = 7 }
            return Days.span(Days.adding(difference, to: today))
        }
        if let wanted = TimeWords.months[name] {
            let shift =
                direction < 0
                ? (wanted >= month ? -1 : 0) : direction > 0 ? (wanted <= month ? 1 : 0) : 0
            return Days.month(year + shift, wanted)
        }
        if let first = TimeWords.seasons[name] {
            let shift =
                direction < 0
                ? (first + 3 > month ? -1 : 0) : direction > 0 ? (first <= month ? 1 : 0) : 0
            return Days.span(Days.date(year + shift, first, 1), 3, .month)
        }
        return nil
    }

    // MARK: Parts of a period

    /// "early June", "mid-2027", "the end of next week"
    func part(_ part: TimeWords.Part, at i: Int, depth: Int) -> Match? {
        let word = tokens[i].text
        var index = i + 1
        let needsOf = ["end", "beginning", "start", "middle"].contains(word)
        if self.word(index, from: i) == "of" { index += 1 } else if needsOf { return nil }
        let hasArticle = self.word(index, from: i) == "the"
        if hasArticle { index += 1 }
        guard tokens.indices.contains(index), tokens[index].sentence == tokens[i].sentence else {
            return nil
        }
        let name = tokens[index].text
        let next = self.word(index + 1, from: i)
        let isNumbered = Int(next) != nil || TimeWords.numbers[next] != nil
        if needsOf, ["week", "month", "quarter", "year", "decade"].contains(name), !isNumbered,
            !["of", "before", "after", "from"].contains(next), let period = relative(name, 0)
        {
            // "at the end of the month we moved" may be any month's.
            let tense = TenseReader(tokens: tokens).tense(before: i, after: index + 1)
            let isKnown = tense != .past && tense != .unclear && !recursBeforePart(i)
            return Match(isKnown ? cut(period, part) : nil, index + 1 - i)
        }
        if ["that", "every", "each"].contains(name) { return .none(index + 1 - i) }
        let period: DaySpan?
        let used: Int
        if let year = year(name) {
            (period, used) = (Days.year(year), 1)
        } else if let match = plain(at: index, depth: depth + 1) {
            (period, used) = (match.spans.count == 1 ? match.spans[0] : nil, match.count)
        } else {
            return nil
        }
        guard let period else { return .none(index - i + used) }
        return Match(cut(period, part), index - i + used)
    }

    /// True if a part belongs to what recurs: "at the end of every month".
    private func recursBeforePart(_ i: Int) -> Bool {
        (max(0, i - 6)..<i).contains { TimeWords.recurrences.contains(tokens[$0].text) }
    }

    /// A part of a span: of a year its first or last two months, otherwise about a third.
    private func cut(_ span: DaySpan, _ part: TimeWords.Part) -> DaySpan? {
        let days = Int((span.end.timeIntervalSince(span.start) / 86_400).rounded())
        guard days > 2 else { return span }
        if days >= 360 {
            let months = part == .start || part == .end ? 2 : 4
            let early = Days.adding(months, .month, to: span.start)
            let late = Days.adding(-months, .month, to: span.end)
            guard let early, let late else { return nil }
            switch part {
            case .start, .early:
                return DaySpan(start: span.start, end: early, fixesYear: span.fixesYear)
            case .late, .end: return DaySpan(start: late, end: span.end, fixesYear: span.fixesYear)
            case .middle: return DaySpan(start: early, end: late, fixesYear: span.fixesYear)
            }
        }
        let isQuarter = (89...92).contains(days)
        let third = isQuarter ? 30 : days / 3 + (days == 7 && part == .end ? 1 : 0)
        switch part {
        case .start, .early:
            guard
                let end = isQuarter
                    ? Days.adding(1, .month, to: span.start) : Days.adding(third, to: span.start)
            else { return nil }
            return DaySpan(start: span.start, end: end, fixesYear: span.fixesYear)
        case .late, .end:
            guard
                let start = isQuarter
                    ? Days.adding(-1, .month, to: span.end) : Days.adding(-third, to: span.end)
            else { return nil }
            return DaySpan(start: start, end: span.end, fixesYear: span.fixesYear)
        case .middle:
            guard let start = Days.adding(third, to: span.start),
                let end = Days.adding(-third, to: span.end)
            else {
                return nil
            }
            return DaySpan(start: start, end: end, fixesYear: span.fixesYear)
        }
    }

    /// "the first Monday of December", "last Friday in May 2027", "the last day of the month",
    /// "first quarter of 2027"
    func ordinalIn(at i: Int, depth: Int) -> Match? {
        let word = tokens[i].text
        guard let number = TimeWords.ordinals[word] ?? suffixedOrdinal(word), number <= 5 else {
            return nil
        }
        let name = self.word(i + 1, from: i)
        let of = self.word(i + 2, from: i)
        let weekday = TimeWords.weekdays[name]
        guard weekday != nil || ["day", "week", "weekend", "quarter", "half"].contains(name) else {
            return nil
        }
        guard of == "of" || of == "in" else {
            return word == "last" ? nil : isPeriod(name) ? .none(2) : nil
        }
        var index = i + 3
        if ["the", "each", "every"].contains(self.word(index, from: i)) { index += 1 }
        let isEach = ["each", "every"].contains(self.word(index - 1, from: i))
        let period: DaySpan?
        let used: Int
        if let year = year(self.word(index, from: i)) {
            (period, used) = (Days.year(year), 1)
        } else if ["month", "year", "quarter"].contains(self.word(index, from: i)) {
            (period, used) = (relative(self.word(index, from: i), 0), 1)
        } else if let match = tokens.indices.contains(index)
            ? plain(at: index, depth: depth + 1) : nil,
            tokens[index].sentence == tokens[i].sentence
        {
            (period, used) = (match.spans.count == 1 ? match.spans[0] : nil, match.count)
        } else {
            // "last Friday in Rome" is last Friday; "the last Friday of our trip" is unknown.
            return word == "last" && of == "in" ? nil : .none(2)
        }
        let count = index - i + used
        guard let period, !period.isDay, !isEach else { return .none(count) }
        return Match(piece(number, name, weekday, of: period), count)
    }

    /// A numbered piece of a period: "the second week of May", "the last Friday of the year".
    private func piece(_ number: Int, _ name: String, _ weekday: Int?, of period: DaySpan)
        -> DaySpan?
    {
        if let weekday { return Days.weekday(weekday, number, in: period) }
        let days = Int((period.end.timeIntervalSince(period.start) / 86_400).rounded())
        var span: DaySpan?
        switch name {
        case "day", "week":
            let length = name == "day" ? 1 : 7
            let start = number > 0 ? length * (number - 1) : days - length
            guard start >= 0, start + length <= days else { return nil }
            span = Days.span(Days.adding(start, to: period.start), length)
        case "weekend":
            guard let saturday = Days.weekday(7, number, in: period) else { return nil }
            span = Days.span(saturday.start, 2)
        case "quarter" where days >= 365 && number != -1:
            span = Days.quarter(Days.year(of: period.start), number)
        case "quarter" where days >= 365: span = Days.quarter(Days.year(of: period.start), 4)
        case "half" where days >= 365 && number <= 2:
            span = Days.span(
                Days.date(Days.year(of: period.start), number == 1 ? 1 : 7, 1), 6, .month)
        default: return nil
        }
        span?.fixesYear = period.fixesYear
        return span
    }

    /// The number of an ordinal in digits with its ending: "8th"; plain numbers are none.
    func suffixedOrdinal(_ word: String) -> Int? {
        guard let first = word.unicodeScalars.first, first.isDigit, word.utf8.count <= 4 else {
            return nil
        }
        for suffix in ["st", "nd", "rd", "th"] where word.hasSuffix(suffix) {
            return Int(word.dropLast(2))
        }
        return nil
    }

    /// A year of four digits.
    func year(_ word: String) -> Int? {
        guard word.utf8.count == 4, let year = Int(word), (1900...2100).contains(year) else {
            return nil
        }
        return year
    }
}
