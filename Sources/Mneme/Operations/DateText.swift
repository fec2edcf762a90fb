public import Foundation

/// Dates as people and programs write them.
///
/// Read by hand: all forms in one pass, and days that do not exist are refused rather than carried
/// over.
public enum DateText {
    /// Seconds since 1970 of the years 1 to 9999, which ISO 8601 writes with four digits; the first
    /// are Julian.
    private static let range = -62_135_769_600.0...253_402_300_799.0

    /// Such as 2026-03-01, UTC.
    static func day(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle().year().month().day())
    }

    /// Reads ISO 8601 dates and date-times, with or without zone (UTC then), and Unix seconds.
    ///
    /// - Returns: nil also for days that no calendar has, such as 2026-02-30, and for years beyond
    ///   1 to 9999.
    public static func parse(_ text: String) -> Date? {
        let text = text.trimmingCharacters(in: .whitespaces)
        guard text.utf8.count <= 40 else { return nil }
        var reader = Reader(text)
        if let date = reader.date() {
            return range.contains(date.timeIntervalSince1970) ? date : nil
        }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2D }),
            let seconds = Double(text), text.utf8.count > 4 || seconds < 0, range.contains(seconds)
        else { return nil }
        return Date(timeIntervalSince1970: seconds)
    }

    /// ISO 8601 in UTC, to the second.
    public static func format(_ date: Date) -> String { date.formatted(.iso8601) }

    /// Reads a date from its characters.
    private struct Reader {
        /// The text's bytes; a date is ASCII, so all else fails at its place.
        private let text: [UInt8]
        /// The byte that is read next.
        private var position = 0

        /// Begins at the first byte.
        init(_ text: String) { self.text = Array(text.utf8) }

        /// True when all was read: what is left over makes the text no date.
        private var isAtEnd: Bool { position == text.count }

        /// Passes over one of the characters of `some`, if it is next.
        private mutating func take(_ some: StaticString) -> Bool {
            guard !isAtEnd,
                UnsafeBufferPointer(start: some.utf8Start, count: some.utf8CodeUnitCount).contains(text[position])
            else { return false }
            position += 1
            return true
        }

        /// A number of so many digits; nil, and nothing is passed over, if there are fewer.
        private mutating func number(_ digits: ClosedRange<Int>) -> Int? {
            let start = position
            while !isAtEnd, position - start < digits.upperBound, (0x30...0x39).contains(text[position]) {
                position += 1
            }
            guard position - start >= digits.lowerBound else { return nil }
            return text[start..<position].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }

        /// The whole text as a day, 2026-03-01 or 20260301, and perhaps a time; nil if it is
        /// anything else.
        mutating func date() -> Date? {
            guard let year = number(4...4) else { return nil }
            let isDashed = take("-")
            guard let month = number(isDashed ? 1...2 : 2...2), isDashed == take("-"),
                let day = number(isDashed ? 1...2 : 2...2), year > 0
            else { return nil }
            guard var date = Self.midnight(year, month, day) else { return nil }
            if isAtEnd { return date }
            guard take("Tt "), let time = time(), let offset = offset(), isAtEnd else {
                return nil
            }
            date += time - offset
            return date
        }

        /// The midnight that a day begins with; nil for a day that there is not.
        private static func midnight(_ year: Int, _ month: Int, _ day: Int) -> Date? {
            // Before, calendars were Julian.
            guard year > 1582 else {
                let components = DateComponents(calendar: calendar, year: year, month: month, day: day)
                return components.isValidDate(in: calendar) ? calendar.date(from: components) : nil
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            guard (1...12).contains(month), (1...lengths[month - 1]).contains(day) else { return nil }
            let past = year - 1
            let days =
                past * 365 + past / 4 - past / 100 + past / 400 + lengths[..<(month - 1)].reduce(day - 1, +)
            // From the first day of year 1 to that of 1970.
            return Date(timeIntervalSince1970: Double(days - 719_162) * 86_400)
        }

        /// Seconds of the day.
        private mutating func time() -> Double? {
            guard let hour = number(1...2), hour < 24, take(":"), let minute = number(2...2),
                minute < 60
            else {
                return nil
            }
            var seconds = Double(hour * 3600 + minute * 60)
            guard take(":") else { return seconds }
            // A leap second has the number 60.
            guard let second = number(2...2), second <= 60 else { return nil }
            seconds += Double(second)
            guard take(".,") else { return seconds }
            let start = position
            guard let fraction = number(1...15) else { return nil }
            return seconds + Double(fraction) / pow(10, Double(position - start))
        }

        /// Seconds that a zone is ahead of UTC; 0 if none is named.
        private mutating func offset() -> Double? {
            if isAtEnd { return 0 }
            _ = take(" ")
            if take("Zz") || takeWord("UTC") || takeWord("GMT") { return 0 }
            let isAhead = take("+")
            guard isAhead || take("-"), let hours = number(2...2), hours < 24 else { return nil }
            _ = take(":")
            guard let minutes = isAtEnd ? 0 : number(2...2), minutes < 60 else { return nil }
            return Double(hours * 3600 + minutes * 60) * (isAhead ? 1 : -1)
        }

        /// Passes over a word in any case, if it is next.
        private mutating func takeWord(_ word: String) -> Bool {
            guard text[position...].starts(with: word.utf8) else { return false }
            position += word.utf8.count
            return true
        }

        /// The Gregorian calendar in UTC: a text's own offset is applied to it.
        private static let calendar = {
            var calendar = Calendar(identifier: .iso8601)
            calendar.timeZone = .gmt
            return calendar
        }()
    }
}
