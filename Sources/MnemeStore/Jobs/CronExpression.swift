public import Foundation

/// Times as cron writes them: minute, hour, day of the month, month, day of the week, in UTC.
///
/// Each field is `*`, a number, a range `1-5`, a step `*/15` or `10-40/10`, or a list of these.
/// Months and days of the week may be named by three
/// letters; Sunday is 0 or 7. As in cron, where both days are given, either is enough.
/// `@hourly`, `@daily`, `@weekly` and `@monthly` are short for
/// the obvious.
public struct CronExpression: Hashable, Sendable, Codable, CustomStringConvertible {
    /// As it was written.
    public let description: String
    /// Values that fit, of each field; Sunday is 0.
    private let minutes, hours, days, months, weekdays: Set<Int>
    /// True if one of the two days is enough: neither field begins with `*`, as in Vixie's cron.
    private let eitherDay: Bool

    private static let short = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *",
    ]
    private static let monthNames = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// - Returns: nil if it is not such an expression.
    public init?(_ text: String) {
        let fields = (Self.short[text] ?? text).lowercased().split(separator: " ").map(String.init)
        guard fields.count == 5, let minutes = Self.values(fields[0], 0...59),
            let hours = Self.values(fields[1], 0...23),
            let days = Self.values(fields[2], 1...31),
            let months = Self.values(fields[3], 1...12, names: Self.monthNames, from: 1),
            let weekdays = Self.values(fields[4], 0...7, names: Self.dayNames, from: 0)
        else { return nil }
        description = text
        (self.minutes, self.hours, self.days, self.months) = (minutes, hours, days, months)
        self.weekdays = Set(weekdays.map { $0 % 7 })
        eitherDay = !fields[2].hasPrefix("*") && !fields[4].hasPrefix("*")
        // The 30th of February never comes.
        guard next(after: Date(timeIntervalSince1970: 0)) != nil else { return nil }
    }

    /// The numbers that a field names.
    ///
    /// - Parameters:
    ///   - range: numbers that the field may have.
    ///   - names: what the numbers are called, in their order.
    ///   - first: the number of the first name.
    /// - Returns: nil if it is no such field, or names none.
    private static func values(
        _ field: String, _ range: ClosedRange<Int>, names: [String] = [], from first: Int = 0
    )
        -> Set<Int>?
    {
        var found: Set<Int> = []
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
            guard pieces.count <= 2, let step = pieces.count == 2 ? Int(pieces[1]) : 1, step > 0
            else { return nil }
            /// A number or a name.
            func number(_ text: Substring) -> Int? {
                Int(text) ?? names.firstIndex(of: String(text)).map { $0 + first }
            }
            let bounds = pieces[0].split(separator: "-", omittingEmptySubsequences: false)
            var low = range.lowerBound
            var high = range.upperBound
            if pieces[0] != "*" {
                guard bounds.count <= 2, let start = number(bounds[0]) else { return nil }
                low = start
                guard
                    let end = bounds.count == 2
                        ? number(bounds[1]) : (pieces.count == 2 ? range.upperBound : start)
                else { return nil }
                high = end
            }
            guard range.contains(low), range.contains(high), low <= high else { return nil }
            found.formUnion(stride(from: low, through: high, by: step))
        }
        return found.isEmpty ? nil : found
    }

    /// The first such minute after a time; nil if there is none within eight years.
    public func next(after date: Date) -> Date? {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(identifier: "UTC")!
        let start = Date(
            timeIntervalSince1970: ((date.timeIntervalSince1970 / 60).rounded(.down) + 1) * 60)
        var day = calendar.startOfDay(for: start)
        // The longest time between two 29ths of February is eight years: 1896 to 1904, 2096 to
        // 2104.
        for _ in 0..<(366 * 8) {
            let parts = calendar.dateComponents([.month, .day, .weekday], from: day)
            let isDay = days.contains(parts.day!)
            let isWeekday = weekdays.contains(parts.weekday! - 1)
            if months.contains(parts.month!), eitherDay ? isDay || isWeekday : isDay && isWeekday {
                for hour in hours.sorted() {
                    for minute in minutes.sorted() {
                        let time = day.addingTimeInterval(Double(hour * 3600 + minute * 60))
                        if time >= start { return time }
                    }
                }
            }
            day = day.addingTimeInterval(86_400)
        }
        return nil
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let known = CronExpression(text) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "'\(text.prefix(80))' is not a cron expression."))
        }
        self = known
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
