import Foundation

/// Days from one to another, the last not part of it.
struct DaySpan: Equatable {
    /// The first midnight, and the midnight after the last day.
    var start, end: Date
    /// See ``TimeExpression/fixesYear``.
    var fixesYear = true

    /// True if it is one day.
    var isDay: Bool { end.timeIntervalSince(start) == 86_400 }

    /// The same days of any year.
    var ofAnyYear: DaySpan { DaySpan(start: start, end: end, fixesYear: false) }
}

/// Reckoning with days, in UTC and the Gregorian calendar, wherever the machine stands.
enum Days {
    /// The calendar of all reckoning; days of other zones are turned into it before.
    private static var calendar: Calendar { UTCCalendar.gregorian }

    /// - Returns: nil if there is no such day.
    static func date(_ year: Int, _ month: Int, _ day: Int) -> Date? {
        guard (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day),
            let date = calendar.date(from: DateComponents(year: year, month: month, day: day)),
            calendar.component(.day, from: date) == day
        else { return nil }
        return date
    }

    /// The year of a day.
    static func year(of date: Date) -> Int { calendar.component(.year, from: date) }
    /// The month of a day, from 1.
    static func month(of date: Date) -> Int { calendar.component(.month, from: date) }
    /// Sunday is 1.
    static func weekday(of date: Date) -> Int { calendar.component(.weekday, from: date) }

    /// The midnight so many days later.
    static func adding(_ days: Int, to date: Date) -> Date? {
        calendar.date(byAdding: .day, value: days, to: date)
    }

    /// A time so many units later, as calendars count: a month after 31 January is the end of
    /// February.
    ///
    /// - Returns: nil outside of the years 1 to 9999.
    static func adding(_ count: Int, _ component: Calendar.Component, to date: Date) -> Date? {
        guard let moved = calendar.date(byAdding: component, value: count, to: date),
            (1...9999).contains(year(of: moved))
        else { return nil }
        return moved
    }

    /// A span that begins on a day.
    static func span(_ start: Date?, _ count: Int = 1, _ component: Calendar.Component = .day)
        -> DaySpan?
    {
        guard let start, let end = adding(count, component, to: start) else { return nil }
        return DaySpan(start: start, end: end)
    }

    /// A month of a year.
    static func month(_ year: Int, _ month: Int) -> DaySpan? {
        span(date(year, month, 1), 1, .month)
    }
    /// A whole year.
    static func year(_ year: Int) -> DaySpan? { span(date(year, 1, 1), 1, .year) }
    /// A quarter, from 1.
    static func quarter(_ year: Int, _ number: Int) -> DaySpan? {
        span(date(year, number * 3 - 2, 1), 3, .month)
    }

    /// The Monday of a day's week.
    static func monday(of date: Date) -> Date? { adding(-((weekday(of: date) + 5) % 7), to: date) }

    /// A week of ISO 8601.
    static func week(_ number: Int, of year: Int) -> DaySpan? {
        guard (1...53).contains(number), let first = date(year, 1, 4).flatMap(monday),
            let start = adding(7 * (number - 1), to: first), let thursday = adding(3, to: start),
            self.year(of: thursday) == year
        else { return nil }
        return span(start, 7)
    }

    /// The `number`th weekday of a span, from its end for -1.
    static func weekday(_ weekday: Int, _ number: Int, in span: DaySpan?) -> DaySpan? {
        guard let span, let last = adding(-1, to: span.end) else { return nil }
        let start: Date?
        if number > 0 {
            start = adding(
                (weekday - self.weekday(of: span.start) + 7) % 7 + 7 * (number - 1), to: span.start)
        } else {
            start = adding(-((self.weekday(of: last) - weekday + 7) % 7), to: last)
        }
        guard let start, start < span.end, var day = self.span(start) else { return nil }
        day.fixesYear = span.fixesYear
        return day
    }

    /// Easter Sunday, by the Gregorian computus (Meeus, Jones, Butcher).
    static func easter(_ year: Int) -> Date? {
        let a = year % 19
        let b = year / 100
        let c = year % 100
        let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30
        let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7
        let m = (a + 11 * h + 22 * l) / 451
        let n = h + l - 7 * m + 114
        return date(year, n / 31, n % 31 + 1)
    }

    /// One of a year's spans, chosen by tense: the last begun, the next not over, or the nearest.
    ///
    /// - Parameter span: of a year; nil if the year has none.
    static func choose(_ tense: Tense, today: Date, _ span: (Int) -> DaySpan?) -> DaySpan? {
        let now = year(of: today)
        switch tense {
        case .past:
            for step in -1...8 {
                if let span = span(now - step), span.start <= today { return span }
            }
            return nil
        case .future:
            for step in -1...8 { if let span = span(now + step), span.end > today { return span } }
            return nil
        case .present, .unclear:
            func distance(_ span: DaySpan) -> TimeInterval {
                let middle = span.start.addingTimeInterval(
                    span.end.timeIntervalSince(span.start) / 2)
                return abs(middle.timeIntervalSince(today))
            }
            let near = (now - 1...now + 1).compactMap(span)
            // 29 February
            let spans = near.isEmpty ? (now - 8...now + 8).compactMap(span) : near
            return spans.min { distance($0) < distance($1) }
        }
    }
}
