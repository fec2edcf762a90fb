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

    /// Lower-cased names of the months.
    static let monthNames = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september",
        "october", "november",
        "december",
    ]
}
