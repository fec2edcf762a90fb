import Foundation

/// Distances in time: "two weeks ago", "in half a year", "the last three months".
extension TimeMatcher {
    /// An amount of a unit, or a range of amounts.
    struct Amount {
        /// Bounds of the number; equal where it is exact.
        var low: Double, high: Double
        /// The unit that is counted.
        var unit: TimeWords.Unit
    }

    /// "three weeks", "half a year", "a year and a half", "2-3 days", "a week or two"
    func amount(at i: Int) -> (amount: Amount, count: Int)? {
        guard var (range, used) = quantity(at: i) else { return nil }
        if ["or", "to"].contains(word(i + used, from: i)),
            let (upper, more) = quantity(at: i + used + 1),
            tokens[i + used + 1].sentence == tokens[i].sentence,
            upper.upperBound >= range.lowerBound
        {
            range = range.lowerBound...upper.upperBound
            used += 1 + more
        }
        guard let unit = TimeWords.units[word(i + used, from: i)] else { return nil }
        used += 1
        if word(i + used, from: i) == "and", word(i + used + 1, from: i) == "a",
            word(i + used + 2, from: i) == "half"
        {
            range = range.lowerBound + 0.5...range.upperBound + 0.5
            used += 3
        } else if word(i + used, from: i) == "or" {
            let next = word(i + used + 1, from: i)
            if next == "so" {
                used += 2
            } else if let more = TimeWords.numbers[next], Double(more) > range.upperBound {
                range = range.lowerBound...Double(more)
                used += 2
            }
        }
        return (Amount(low: range.lowerBound, high: range.upperBound, unit: unit), used)
    }

    /// A number in words or digits, and how many words it takes.
    private func quantity(at i: Int) -> (range: ClosedRange<Double>, count: Int)? {
        guard tokens.indices.contains(i) else { return nil }
        let word = tokens[i].text
        let next = self.word(i + 1, from: i)
        if word == "half" {
            let article = next == "a" || next == "an" ? 1 : 0
            return (0.5...0.5, 1 + article)
        }
        if word == "a", let vague = TimeWords.vagueNumbers[next] { return (vague, 2) }
        if let vague = TimeWords.vagueNumbers[word] { return (vague, 1) }
        if word == "a" || word == "one", ["dozen", "hundred"].contains(next) {
            return (Double(TimeWords.numbers[next] ?? 1)...Double(TimeWords.numbers[next] ?? 1), 2)
        }
        if word == "couple" || word == "a" && next == "couple" {
            let used = word == "a" ? 2 : 1
            return (2...2, used + (self.word(i + used, from: i) == "of" ? 1 : 0))
        }
        var value: Double
        var used = 1
        if let tens = TimeWords.tens[word] {
            value = Double(tens)
            if let ones = TimeWords.numbers[next], (1...9).contains(ones), next != "a",
                next != "an", next != "couple"
            {
                value += Double(ones)
                used = 2
            }
        } else if let number = TimeWords.numbers[word] {
            value = Double(number)
        } else {
            let bounds = word.split(separator: "-")
            if bounds.count == 2, let low = small(bounds[0]), let high = small(bounds[1]),
                low < high
            {
                return (low...high, 1)
            }
            guard let number = small(Substring(word)) else { return nil }
            value = number
        }
        if self.word(i + used, from: i) == "and", self.word(i + used + 1, from: i) == "a",
            self.word(i + used + 2, from: i) == "half"
        {
            value += 0.5
            used += 3
        }
        return (value...value, used)
    }

    /// Digits, at most four, and one decimal place.
    private func small(_ word: Substring) -> Double? {
        guard word.utf8.count <= 4, word.unicodeScalars.allSatisfy({ $0.isDigit || $0 == "." }),
            let value = Double(word), value > 0
        else { return nil }
        return value
    }

    /// "two weeks ago", "a week ago on Monday", "two Fridays ago"
    func distance(at i: Int) -> Match? {
        if let match = weekdaysAgo(at: i) { return match }
        guard let (amount, used) = amount(at: i) else { return nil }
        let previous = word(i - 1, from: i)
        let next = word(i + used, from: i)
        let sign: Int
        let words: Int
        switch next {
        case "ago", "back": (sign, words) = (-1, 1)
        case "hence": (sign, words) = (1, 1)
        default: return nil
        }
        let count = used + words
        // "more than a year ago" is no date, and "three quarters of a year ago" is not a year ago.
        if TimeWords.bounds.contains(previous) || previous == "of" {
            return .none(count)
        }
        if next == "ago", let match = weekdayAgo(amount, count, at: i) { return match }
        if next == "ago", word(i + count, from: i) == "today" {
            return Match(distance(amount, -1, from: today, isExact: true), count + 1)
        }
        return Match(
            distance(
                amount, sign, from: today, isExact: false,
                isAbout: TimeWords.approximations.contains(previous)),
            count)
    }

    /// "two Fridays ago", "three weekends ago", "two Mondays from now"
    private func weekdaysAgo(at i: Int) -> Match? {
        let word = tokens[i].text
        guard let number = TimeWords.numbers[word] ?? (word.utf8.count <= 2 ? Int(word) : nil),
            (1...99).contains(number)
        else { return nil }
        let name = self.word(i + 1, from: i)
        let next = self.word(i + 2, from: i)
        let isAgo = next == "ago" || next == "back"
        let isAhead = next == "from" && self.word(i + 3, from: i) == "now"
        guard isAgo || isAhead else { return nil }
        let singular = name.hasSuffix("s") ? String(name.dropLast()) : name
        guard TimeWords.weekdays[singular] != nil || singular == "weekend" else { return nil }
        let sign = isAgo ? -1 : 1
        guard let near = relative(singular, sign) else { return nil }
        return Match(shifted(near, sign * 7 * (number - 1), .day), isAgo ? 3 : 4)
    }

    /// "a week ago Monday": where the Monday before that and the Monday of that week are not the
    /// same, it is no date.
    private func weekdayAgo(_ amount: Amount, _ count: Int, at i: Int) -> Match? {
        var index = i + count
        if ["on", "last", "this"].contains(word(index, from: i)) { index += 1 }
        guard let weekday = TimeWords.weekdays[word(index, from: i)],
            !tokens[i + count - 1].endsClause
        else {
            return nil
        }
        let used = index + 1 - i
        guard amount.unit.component == .weekOfYear, amount.low == amount.high,
            amount.low == amount.low.rounded(),
            let near = relative(TimeWords.name(ofWeekday: weekday), -1),
            let before = shifted(near, -7 * amount.unit.factor * Int(amount.low), .day),
            let monday = Days.monday(of: today),
            let week = Days.span(
                Days.adding(-7 * amount.unit.factor * Int(amount.low), to: monday), 7),
            Days.weekday(weekday, 1, in: week) == before
        else { return .none(used) }
        return Match(before, used)
    }

    /// "in three days", "in two weeks' time", "within a month"
    func ahead(at i: Int) -> Match? {
        let word = tokens[i].text
        guard word == "in" || word == "within", let (amount, used) = amount(at: i + 1),
            tokens[i + 1].sentence == tokens[i].sentence
        else { return nil }
        var count = 1 + used
        let next = self.word(i + count, from: i)
        if next == "ago" { return nil }
        if next == "time" { count += 1 }
        // "built in three days" took that long, and "once in two weeks" recurs.
        let tense = TenseReader(tokens: tokens).tense(before: i, after: i + count)
        let previous = self.word(i - 1, from: i)
        guard tense == .future || tense == .present,
            !["once", "twice", "times", "of"].contains(previous),
            next != "of", !recursBefore(i)
        else { return .none(count) }
        if word == "within" { return Match(upTo(amount, 1), count) }
        return Match(distance(amount, 1, from: today, isExact: false), count)
    }

    /// True if "every" or the like stands before a distance: "every two weeks" is no date.
    private func recursBefore(_ i: Int) -> Bool {
        (max(0, i - 6)..<i).contains {
            tokens[$0].sentence == tokens[i].sentence
                && TimeWords.recurrences.contains(tokens[$0].text)
        }
    }

    /// From today up to a distance, or from there up to today.
    func upTo(_ amount: Amount, _ sign: Int) -> DaySpan? {
        guard let far = moved(today, amount.high * Double(sign), amount.unit) else { return nil }
        let first = sign < 0 ? far : today
        let last = sign < 0 ? today : far
        guard let end = Days.adding(1, to: last) else { return nil }
        return DaySpan(start: first, end: end)
    }

    /// A distance is as exact as its unit: "two weeks ago" means that week, "a month ago" that
    /// month.
    func distance(
        _ amount: Amount, _ sign: Int, from date: Date, isExact: Bool, isAbout: Bool = false
    ) -> DaySpan? {
        let values = [amount.low * Double(sign), amount.high * Double(sign)].sorted()
        guard let first = moved(date, values[0], amount.unit),
            let last = moved(date, values[1], amount.unit)
        else {
            return nil
        }
        let isWhole = amount.low == amount.low.rounded()
        let days = amount.unit.component == .day
        var slack =
            switch amount.unit.component {
            case .day: 0
            case .weekOfYear: isWhole ? 3 : 2
            case .month: isWhole ? 15 : 7
            default: isWhole ? 182 : 45
            }
        if isAbout, days { slack = 1 + Int(amount.high / 7) }
        // Counted from a day, days and weeks lead to a day.
        if isExact, days || amount.unit.component == .weekOfYear, isWhole { slack = 0 }
        guard let start = Days.adding(-slack, to: first), let end = Days.adding(slack + 1, to: last)
        else { return nil }
        return DaySpan(start: start, end: end)
    }

    /// A day moved by a number of units; half a year is six months, half a month fifteen days.
    private func moved(_ date: Date, _ count: Double, _ unit: TimeWords.Unit) -> Date? {
        let total = count * Double(unit.factor)
        guard abs(total) < 100_000 else { return nil }
        let whole = total.rounded(.towardZero)
        let rest = total - whole
        guard let moved = Days.adding(Int(whole), unit.component, to: date) else { return nil }
        switch unit.component {
        case .year: return Days.adding(Int((rest * 12).rounded()), .month, to: moved)
        case .month: return Days.adding(Int((rest * 30).rounded()), to: moved)
        case .weekOfYear: return Days.adding(Int((rest * 7).rounded()), to: moved)
        default: return moved
        }
    }
}
