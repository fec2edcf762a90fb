import Foundation

/// The Gregorian calendar in UTC, with English names: the one in which dates of texts are counted.
enum UTCCalendar {
    /// The calendar; its weeks begin on Monday.
    static let gregorian: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        calendar.locale = Locale(identifier: "en_US_POSIX")
        calendar.firstWeekday = 2
        calendar.minimumDaysInFirstWeek = 4
        return calendar
    }()

    /// Midnight of a time's day.
    static func startOfDay(_ time: Date) -> Date {
        let seconds = time.timeIntervalSinceReferenceDate
        // Days that are whole numbers of seconds, and small enough for all of them to be told apart.
        guard abs(seconds) < 1e11 else { return gregorian.startOfDay(for: time) }
        return Date(timeIntervalSinceReferenceDate: (seconds / 86_400).rounded(.down) * 86_400)
    }

    /// Lower-cased names of the months.
    static let monthNames = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september",
        "october", "november",
        "december",
    ]
}
