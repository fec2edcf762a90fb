public import Foundation
import MnemeStore

/// A span of time named in a text.
public struct TimeExpression: Sendable, Equatable {
    /// The words that name it.
    public var text: String
    /// The span; the end is not part of it.
    public var start, end: Date
    /// Whether the text fixed the year; otherwise the same days of any year are meant.
    public var fixesYear: Bool

    /// How well `date` fits, 0…1: 1 inside a short span, 0.6 inside a longer one, falling over days outside a short one.
    public func proximity(to date: Date) -> Double {
        var start = start, end = end
        if !fixesYear {
            let calendar = TimeExpressions.calendar
            let shift = calendar.component(.year, from: date) - calendar.component(.year, from: start)
            start = calendar.date(byAdding: .year, value: shift, to: start) ?? start
            end = calendar.date(byAdding: .year, value: shift, to: end) ?? end
        }
        let isShort = end.timeIntervalSince(start) <= 3 * 86_400
        if date >= start && date < end { return isShort ? 1 : 0.6 }
        guard isShort else { return 0 }
        let days = (date < start ? start.timeIntervalSince(date) : date.timeIntervalSince(end)) / 86_400
        return exp(-days / 3)
    }
}

/// Finds dates in English text and resolves them against a reference time, by rule.
///
/// Understands days ("yesterday", "last Friday", "8 May 2023", "May 8", "2023-05-08"), spans ("last
/// week", "next month", "in June 2022", "in 2019", "this weekend", "last summer") and distances ("two
/// weeks ago", "in three days"). Times of day are not resolved. Dates are UTC.
public enum TimeExpressions {
    static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0)!
        calendar.firstWeekday = 2
        return calendar
    }()

    private static let months = [
        "january": 1, "february": 2, "march": 3, "april": 4, "may": 5, "june": 6, "july": 7, "august": 8, "september": 9, "october": 10,
        "november": 11, "december": 12, "jan": 1, "feb": 2, "mar": 3, "apr": 4, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9, "oct": 10,
        "nov": 11, "dec": 12,
    ]
    private static let weekdays = ["sunday": 1, "monday": 2, "tuesday": 3, "wednesday": 4, "thursday": 5, "friday": 6, "saturday": 7]
    private static let numbers = [
        "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
        "eleven": 11, "twelve": 12, "couple": 2, "few": 3, "several": 4,
    ]
    private static let units: [String: Calendar.Component] = [
        "day": .day, "days": .day, "week": .weekOfYear, "weeks": .weekOfYear, "month": .month, "months": .month, "year": .year, "years": .year,
    ]
    private static let seasons = ["spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12]
    private static let beforeMonth: Set<String> = [
        "in", "since", "by", "until", "till", "during", "last", "next", "this", "early", "late", "mid", "of", "from", "for",
    ]

    /// Every time expression of `text`, in order.
    ///
    /// - Parameter reference: what "today" means.
    /// - Complexity: linear in the words.
    public static func find(in text: String, reference: Date) -> [TimeExpression] {
        let words = split(text)
        var found: [TimeExpression] = [], i = 0
        while i < words.count {
            if let (expression, used) = match(words, at: i, reference: reference) {
                var expression = expression
                expression.text = words[i..<i + used].joined(separator: " ")
                found.append(expression)
                i += used
            } else {
                i += 1
            }
        }
        return found
    }

    /// Words of letters and digits; ISO dates stay whole.
    private static func split(_ text: String) -> [String] {
        var words: [String] = [], word = ""
        for character in text.lowercased().unicodeScalars {
            if character.isWordPart || (character == "-" && word.allSatisfy(\.isNumber) && !word.isEmpty)
                || (character == "-" && word.count >= 6)
            {
                word.unicodeScalars.append(character)
            } else if !word.isEmpty {
                words.append(word)
                word = ""
            }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }

    /// Words that can begin an expression; digits can, too.
    private static let openers = Set(months.keys).union(weekdays.keys).union(numbers.keys).union([
        "today", "tonight", "yesterday", "tomorrow", "this", "last", "past", "next", "coming", "previous", "in",
    ])

    private static func match(_ words: [String], at i: Int, reference: Date) -> (TimeExpression, Int)? {
        let word = words[i]
        guard openers.contains(word) || word.utf8.first.map({ (48...57).contains($0) }) ?? false else { return nil }
        let today = calendar.startOfDay(for: reference)
        func next(_ offset: Int) -> String { i + offset < words.count ? words[i + offset] : "" }
        func previous() -> String { i > 0 ? words[i - 1] : "" }
        func span(_ start: Date?, _ component: Calendar.Component, fixesYear: Bool = true) -> TimeExpression? {
            guard let start, let end = calendar.date(byAdding: component, value: 1, to: start) else { return nil }
            return TimeExpression(text: "", start: start, end: end, fixesYear: fixesYear)
        }
        func day(_ offset: Int) -> TimeExpression? { span(calendar.date(byAdding: .day, value: offset, to: today), .day) }
        func use(_ expression: TimeExpression?, _ count: Int) -> (TimeExpression, Int)? { expression.map { ($0, count) } }

        switch word {
        case "today", "tonight": return use(day(0), 1)
        case "yesterday": return use(day(-1), 1)
        case "tomorrow": return use(day(1), 1)
        case "this" where ["morning", "afternoon", "evening"].contains(next(1)): return use(day(0), 2)
        case "last" where next(1) == "night": return use(day(-1), 2)
        case "last", "past", "next", "this", "coming", "previous":
            let direction = word == "next" || word == "coming" ? 1 : word == "this" ? 0 : -1
            if let result = relative(next(1), direction: direction, today: today) { return (result, 2) }
            // "the last three weeks": from then until now.
            if direction == -1, let count = number(next(1)), let unit = units[next(2)], let start = calendar.date(byAdding: unit, value: -count, to: today) {
                return (TimeExpression(text: "", start: start, end: reference, fixesYear: true), 3)
            }
            return nil
        default: break
        }
        // "two weeks ago", "a couple of months ago", "in three days"
        if let count = number(word) {
            let of = next(1) == "of" ? 1 : 0
            if let unit = units[next(1 + of)], next(2 + of) == "ago" || next(2 + of) == "back" || next(2 + of) == "earlier" {
                return use(distance(-count, unit, today), 3 + of)
            }
        }
        if word == "in", let count = number(next(1)), let unit = units[next(2)], next(3) != "ago" { return use(distance(count, unit, today), 3) }
        // ISO: 2023-05-08, 2023-05
        let parts = word.split(separator: "-").compactMap { Int($0) }
        if word.contains("-"), parts.count >= 2, (1900...2100).contains(parts[0]), (1...12).contains(parts[1]) {
            if parts.count == 3 { return use(span(date(parts[0], parts[1], parts[2]), .day), 1) }
            if parts.count == 2 { return use(span(date(parts[0], parts[1], 1), .month), 1) }
        }
        // 8 May 2023; 8th of May
        if let number = ordinal(word), (1...31).contains(number) {
            let of = next(1) == "of" ? 1 : 0
            if let month = months[next(1 + of)] {
                if let year = year(next(2 + of)) { return use(span(date(year, month, number), .day), 3 + of) }
                return use(span(date(nearestYear(month, reference), month, number), .day, fixesYear: false), 2 + of)
            }
        }
        if let month = months[word] {
            // May 8, 2023; May 8; May 2023
            if let number = ordinal(next(1)), (1...31).contains(number), year(next(1)) == nil {
                if let year = year(next(2)) { return use(span(date(year, month, number), .day), 3) }
                return use(span(date(nearestYear(month, reference), month, number), .day, fixesYear: false), 2)
            }
            if let year = year(next(1)) { return use(span(date(year, month, 1), .month), 2) }
            // "may" and "march" are words too; short names need a preposition as well.
            if (word != "may" && word != "march" && word.count > 3) || beforeMonth.contains(previous()) {
                return use(span(date(nearestYear(month, reference), month, 1), .month, fixesYear: false), 1)
            }
            return nil
        }
        if let weekday = weekdays[word] {
            let current = calendar.component(.weekday, from: today)
            return use(day(-((current - weekday + 7) % 7)), 1)
        }
        if let year = year(word),
            ["in", "since", "from", "of", "by", "during", "until", "year", "early", "late", "summer", "winter", "spring", "fall", "autumn"].contains(previous())
        {
            return use(span(date(year, 1, 1), .year), 1)
        }
        return nil
    }

    private static func relative(_ name: String, direction: Int, today: Date) -> TimeExpression? {
        func span(_ start: Date?, days: Int) -> TimeExpression? {
            guard let start, let end = calendar.date(byAdding: .day, value: days, to: start) else { return nil }
            return TimeExpression(text: "", start: start, end: end, fixesYear: true)
        }
        let weekday = calendar.component(.weekday, from: today)  // Sunday is 1
        let monday = calendar.date(byAdding: .day, value: -((weekday + 5) % 7), to: today)!
        switch name {
        case "week": return span(calendar.date(byAdding: .day, value: 7 * direction, to: monday), days: 7)
        case "weekend":
            return span(calendar.date(byAdding: .day, value: 5 + 7 * direction, to: monday), days: 2)
        case "month", "year":
            let component: Calendar.Component = name == "month" ? .month : .year
            guard let interval = calendar.dateInterval(of: component, for: today),
                let start = calendar.date(byAdding: component, value: direction, to: interval.start),
                let end = calendar.date(byAdding: component, value: 1, to: start)
            else { return nil }
            return TimeExpression(text: "", start: start, end: end, fixesYear: true)
        default: break
        }
        if let wanted = weekdays[name] {
            var difference = (wanted - weekday + 7) % 7
            if direction < 0 { difference = difference == 0 ? -7 : difference - 7 }
            if direction > 0, difference == 0 { difference = 7 }
            return span(calendar.date(byAdding: .day, value: difference, to: today), days: 1)
        }
        let current = calendar.component(.month, from: today), year = calendar.component(.year, from: today)
        if let month = months[name] {
            let shift = direction < 0 ? (month >= current ? -1 : 0) : direction > 0 ? (month <= current ? 1 : 0) : 0
            guard let start = date(year + shift, month, 1), let end = calendar.date(byAdding: .month, value: 1, to: start) else { return nil }
            return TimeExpression(text: "", start: start, end: end, fixesYear: true)
        }
        if let first = seasons[name] {
            let shift = direction < 0 ? (first + 3 > current ? -1 : 0) : direction > 0 ? (first <= current ? 1 : 0) : 0
            guard let start = date(year + shift, first, 1), let end = calendar.date(byAdding: .month, value: 3, to: start) else { return nil }
            return TimeExpression(text: "", start: start, end: end, fixesYear: true)
        }
        return nil
    }

    /// A distance is as exact as its unit: "two weeks ago" means that week, "a month ago" that month.
    private static func distance(_ count: Int, _ unit: Calendar.Component, _ today: Date) -> TimeExpression? {
        guard let middle = calendar.date(byAdding: unit, value: count, to: today) else { return nil }
        let slack: Int =
            switch unit {
            case .day: 0;
            case .weekOfYear: 3;
            case .month: 15;
            default: 182
            }
        guard let start = calendar.date(byAdding: .day, value: -slack, to: middle), let end = calendar.date(byAdding: .day, value: slack + 1, to: middle)
        else { return nil }
        return TimeExpression(text: "", start: start, end: end, fixesYear: true)
    }

    private static func number(_ word: String) -> Int? {
        if let number = numbers[word] { return number }
        guard word.count <= 4, let number = Int(word), number > 0 else { return nil }
        return number
    }

    private static func ordinal(_ word: String) -> Int? {
        for suffix in ["st", "nd", "rd", "th"] where word.hasSuffix(suffix) { return Int(word.dropLast(2)) }
        return word.count <= 2 ? Int(word) : nil
    }

    private static func year(_ word: String) -> Int? {
        guard word.count == 4, let year = Int(word), (1900...2100).contains(year) else { return nil }
        return year
    }

    private static func date(_ year: Int, _ month: Int, _ day: Int) -> Date? {
        guard let date = calendar.date(from: DateComponents(year: year, month: month, day: day)), calendar.component(.day, from: date) == day else {
            return nil
        }
        return date
    }

    /// The year in which `month` lies nearest to the reference.
    private static func nearestYear(_ month: Int, _ reference: Date) -> Int {
        let year = calendar.component(.year, from: reference), current = calendar.component(.month, from: reference)
        return month - current > 6 ? year - 1 : current - month > 6 ? year + 1 : year
    }
}
