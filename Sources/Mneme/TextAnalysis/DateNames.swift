import Foundation

/// Tells months and weekdays from people's names: both begin with a capital letter.
///
/// "Lisbon in May" names a city and a month; "May met April" names two people. What the reader of
/// dates takes for a time (``TimeMatcher``) is one here as well, so that both agree on each word.
enum DateNames {
    /// Words that name a time wherever they stand: nobody is called so.
    private static let certain: Set<String> = Set(TimeWords.weekdays.keys)
        .union(TimeWords.pluralWeekdays.keys)
        .union(UTCCalendar.monthNames)
        .subtracting(TimeWords.doubtfulMonths)
    /// Words that name a time where a date is read, and somebody or something else elsewhere:
    /// "May", "April", "Jan".
    private static let doubtful = TimeWords.doubtfulMonths
        .union(TimeWords.months.keys)
        .union(TimeWords.weekdayAbbreviations.keys)
        .subtracting(certain)

    /// True if a run of capitalised words names months and weekdays only.
    ///
    /// A run of several words is one name ("June Carter") unless each of them is a time
    /// ("Friday, May" has been cut at the comma before).
    ///
    /// - Complexity: constant for most runs; linear in the text where a doubtful word stands.
    static func nameOnlyTimes(_ run: [Substring], in text: String) -> Bool {
        let words = run.map { $0.lowercased() }
        guard words.allSatisfy({ certain.contains($0) || doubtful.contains($0) }) else {
            return false
        }
        guard words.contains(where: { !certain.contains($0) }) else { return true }
        let people = peopleAmongTimes(in: text)
        return !words.contains(where: people.contains)
    }

    /// Doubtful words that stand capitalised somewhere outside of all dates of a text.
    private static func peopleAmongTimes(in text: String) -> Set<String> {
        let tokens = TimeToken.tokens(of: text)
        // What day it is does not matter to which words a date is made of.
        let matcher = TimeMatcher(tokens: tokens, today: Date(timeIntervalSince1970: 0))
        var people: Set<String> = []
        var index = 0
        while index < tokens.count {
            if let match = matcher.match(at: index) {
                index += max(1, match.count)
            } else {
                let token = tokens[index]
                // "the May deadline"
                let isMonth =
                    TimeWords.doubtfulMonths.contains(token.text)
                    && TimeWords.determiners.contains(matcher.word(index - 1, from: index))
                if token.isCapital, !isMonth, doubtful.contains(token.text) {
                    people.insert(token.text)
                }
                index += 1
            }
        }
        return people
    }
}
