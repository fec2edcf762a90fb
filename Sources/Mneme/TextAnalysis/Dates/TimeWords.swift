import Foundation

/// The words that name times, in one place.
enum TimeWords {
    /// Months by their names and abbreviations of three letters, from 1.
    static let months: [String: Int] = {
        var months: [String: Int] = ["sept": 9]
        for (i, name) in UTCCalendar.monthNames.enumerated() {
            months[name] = i + 1
            months[String(name.prefix(3))] = i + 1
        }
        return months
    }()
    /// Months that are words or names of people, too: they need a preposition.
    static let doubtfulMonths: Set<String> = ["may", "march", "april", "june", "august"]

    /// Sunday is 1.
    static let weekdays: [String: Int] = [
        "sunday": 1, "monday": 2, "tuesday": 3, "wednesday": 4, "thursday": 5, "friday": 6,
        "saturday": 7,
    ]
    /// Short names of weekdays; several are words as well, so that they need a capital.
    static let weekdayAbbreviations: [String: Int] = [
        "sun": 1, "mon": 2, "tue": 3, "tues": 3, "wed": 4, "thu": 5, "thur": 5, "thurs": 5,
        "fri": 6, "sat": 7,
    ]
    /// "Mondays": what recurs, or is counted ("two Sundays after Easter").
    static let pluralWeekdays: [String: Int] = Dictionary(
        uniqueKeysWithValues: weekdays.map { ($0 + "s", $1) })

    /// The month in which a season begins, in the north.
    static let seasons = ["spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12]

    /// A unit as a calendar's component, and how many of it.
    struct Unit: Equatable {
        /// A fortnight is two of the component "week of year".
        var component: Calendar.Component, factor = 1
    }
    /// Units by name, in singular and plural.
    static let units: [String: Unit] = {
        let singular: [String: Unit] = [
            "day": Unit(component: .day), "night": Unit(component: .day),
            "week": Unit(component: .weekOfYear),
            "fortnight": Unit(component: .weekOfYear, factor: 2), "month": Unit(component: .month),
            "quarter": Unit(component: .month, factor: 3), "year": Unit(component: .year),
            "decade": Unit(component: .year, factor: 10),
        ]
        return singular.merging(singular.map { ($0 + "s", $1) }) { first, _ in first }
    }()

    /// Numbers in words; "a" and "an" count one.
    static let numbers: [String: Int] = [
        "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
        "eight": 8,
        "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
        "fifteen": 15, "sixteen": 16,
        "seventeen": 17, "eighteen": 18, "nineteen": 19, "couple": 2, "dozen": 12, "hundred": 100,
    ]
    /// Tens, which a number below ten may follow: "twenty-one".
    static let tens: [String: Int] = [
        "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
        "eighty": 80, "ninety": 90,
    ]
    /// Words for no exact number.
    static let vagueNumbers: [String: ClosedRange<Double>] = ["few": 2...5, "several": 3...7]
    /// Ordinals in words; "last" is -1.
    static let ordinals: [String: Int] = [
        "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
        "eighth": 8, "ninth": 9,
        "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14,
        "fifteenth": 15,
        "sixteenth": 16,
        "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
        "last": -1,
    ]
    /// Before a number they say that it is a bound, not a distance.
    static let bounds: Set<String> = ["over", "under", "than", "least", "most", "beyond", "to"]
    /// Words before a distance that make it inexact.
    static let approximations: Set<String> = [
        "about", "around", "roughly", "approximately", "nearly", "almost", "some",
    ]

    /// Words that choose a span by its distance from the present one.
    static let directions: [String: Int] = [
        "last": -1, "past": -1, "this": 0, "next": 1, "coming": 1, "upcoming": 1,
    ]
    /// The part of a span that is meant.
    enum Part { case start, early, middle, late, end }
    /// Words for a part of a span.
    static let parts: [String: Part] = [
        "early": .early, "mid": .middle, "late": .late, "end": .end, "beginning": .start,
        "start": .start,
        "middle": .middle,
    ]
    /// Words behind a day that are read with it, and do not change the day.
    static let partsOfDay: Set<String> = ["morning", "afternoon", "evening", "night", "noon"]
    /// Parts of the day that recur: "Monday mornings" is no date.
    static let pluralPartsOfDay: Set<String> = ["mornings", "afternoons", "evenings", "nights"]

    /// Words after which a doubtful month is one.
    static let beforeMonth: Set<String> = [
        "in", "since", "by", "until", "till", "during", "last", "next", "this", "early", "late",
        "mid", "of", "from",
        "for", "before", "after", "around",
    ]
    /// Words after which four digits are a year.
    static let beforeYear: Set<String> = [
        "in", "since", "from", "of", "by", "during", "until", "till", "year", "early", "late",
        "mid", "before", "after",
        "around", "summer", "winter", "spring", "fall", "autumn",
    ]
    /// Words after which a doubtful holiday is a day.
    static let beforeHoliday: Set<String> = [
        "at", "on", "over", "for", "by", "before", "after", "until", "till", "since", "around",
        "during", "from",
    ]
    /// Words after which an ordinal is a day of a month.
    static let beforeDay: Set<String> = [
        "on", "by", "until", "till", "before", "after", "since", "from", "for",
    ]

    /// Words before a weekday or a month that make it another one, or any.
    static let determiners: Set<String> = [
        "the", "a", "an", "every", "each", "any", "some", "one", "another", "other", "that",
        "those", "these", "most",
        "many", "all", "no", "alternate", "first", "second", "third", "fourth", "fifth",
        "following", "same", "single",
        "only", "good", "black", "ash", "palm", "super", "fat", "cyber", "maundy", "holy", "shrove",
        "easter", "whit",
        "bloody", "casual", "certain", "which", "what",
    ]
    /// Words of what happens again and again.
    static let recurrences: Set<String> = [
        "every", "each", "daily", "weekly", "biweekly", "fortnightly", "monthly", "quarterly",
        "yearly", "annually",
        "annual", "usually", "always", "normally", "regularly", "typically", "often", "sometimes",
        "generally", "once",
        "twice", "recurring", "alternate",
    ]
    /// Words between "every" and what recurs.
    static let everyOther: Set<String> = [
        "other", "second", "third", "fourth", "single", "two", "three", "four", "few", "last",
        "first", "2nd", "3rd",
        "2",
        "3", "4", "2-3",
    ]

    /// True if a point behind the word belongs to it, and does not end the sentence.
    static func isAbbreviation(_ word: String) -> Bool {
        word.utf8.count <= 5
            && (word.utf8.count <= 4 && months[word] != nil && word != "may" && word != "june"
                && word != "july"
                || weekdayAbbreviations[word] != nil && word != "sun" && word != "sat"
                || word == "st")
    }

    /// Days that have a name, longer names first.
    static let holidays: [(words: [String], day: Holiday)] = [
        (["new", "year", "eve"], .fixed(12, 31)), (["new", "years", "eve"], .fixed(12, 31)),
        (["new", "year", "day"], .fixed(1, 1)), (["new", "years", "day"], .fixed(1, 1)),
        (["st", "patrick", "day"], .fixed(3, 17)), (["st", "patricks", "day"], .fixed(3, 17)),
        (["april", "fool", "day"], .fixed(4, 1)), (["april", "fools", "day"], .fixed(4, 1)),
        (["all", "saints", "day"], .fixed(11, 1)), (["christmas", "eve"], .fixed(12, 24)),
        (["christmas", "day"], .fixed(12, 25)), (["xmas", "eve"], .fixed(12, 24)),
        (["xmas", "day"], .fixed(12, 25)),
        (["boxing", "day"], .fixed(12, 26)), (["valentine", "day"], .fixed(2, 14)),
        (["valentines", "day"], .fixed(2, 14)), (["easter", "sunday"], .easter(0)),
        (["easter", "monday"], .easter(1)),
        (["good", "friday"], .easter(-2)), (["ash", "wednesday"], .easter(-46)),
        (["palm", "sunday"], .easter(-7)),
        (["maundy", "thursday"], .easter(-3)), (["shrove", "tuesday"], .easter(-47)),
        (["whit", "monday"], .easter(50)),
        (["thanksgiving", "day"], .thanksgiving(0)), (["black", "friday"], .thanksgiving(1)),
        (["cyber", "monday"], .thanksgiving(4)), (["new", "year"], .fixed(1, 1)),
        (["christmas"], .fixed(12, 25)),
        (["xmas"], .fixed(12, 25)), (["halloween"], .fixed(10, 31)), (["easter"], .easter(0)),
        (["thanksgiving"], .thanksgiving(0)), (["pentecost"], .easter(49)),
    ]
    /// First words of holidays.
    static let holidayOpeners = Set(holidays.map { $0.words[0] })
    /// Holidays whose names stand before other words as well ("Christmas tree").
    static let doubtfulHolidays: Set<String> = [
        "christmas", "xmas", "halloween", "easter", "thanksgiving", "pentecost", "new year",
    ]

    /// The date of a holiday.
    enum Holiday {
        /// A fixed day of a month.
        case fixed(Int, Int)
        /// A number of days after Easter Sunday.
        case easter(Int)
        /// A number of days after the fourth Thursday of November.
        case thanksgiving(Int)

        /// The day in a year; nil if the year has none.
        func day(in year: Int) -> Date? {
            switch self {
            case .fixed(let month, let day): Days.date(year, month, day)
            case .easter(let days): Days.easter(year).flatMap { Days.adding(days, to: $0) }
            case .thanksgiving(let days):
                Days.weekday(5, 4, in: Days.month(year, 11)).flatMap {
                    Days.adding(days, to: $0.start)
                }
            }
        }
    }
}

extension TimeWords {
    /// The lower-cased name; empty for a number that is none.
    static func name(ofWeekday number: Int) -> String {
        weekdays.first { $0.value == number }?.key ?? ""
    }
}
