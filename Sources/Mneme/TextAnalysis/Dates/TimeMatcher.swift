import Foundation
import MnemeIndex

/// Reads the time expression that begins at a word. Each rule looks at words that follow each other
/// in one sentence.
struct TimeMatcher {
    /// The words of the text.
    let tokens: [TimeToken]
    /// Midnight of the day that "today" means.
    let today: Date

    /// The result of reading: the spans that the words can mean, and how many words. Without spans
    /// they are read as no date, so that no part of them is taken for one.
    struct Match {
        /// Each span that the words can mean; empty where they are read as no date.
        var spans: [DaySpan]
        /// Words that were read.
        var count: Int
        /// True if it is one among many alike, such as a weekday: of something that recurs it is no
        /// date.
        var isBare = false

        /// A match of one reading, or none.
        init(_ span: DaySpan?, _ count: Int, isBare: Bool = false) {
            (spans, self.count, self.isBare) = (span.map { [$0] } ?? [], count, isBare)
        }

        /// A match of several readings of the same words.
        init(spans: [DaySpan], _ count: Int) { (self.spans, self.count) = (spans, count) }

        /// A match without a date, of words that belong together.
        static func none(_ count: Int) -> Match { Match(nil, count) }
    }

    /// Expressions inside expressions: "the day after the Friday before Easter".
    static let deepest = 3

    /// Words with which an expression can begin: all others are passed over at once.
    private static let openers: Set<String> = {
        var words: Set<String> = [
            "today", "tonight", "yesterday", "tomorrow", "in", "within", "every", "each",
            "following", "previous",
        ]
        words.formUnion(["half", "weekend", "weekends"])
        for table in [
            TimeWords.months, TimeWords.weekdays, TimeWords.weekdayAbbreviations,
            TimeWords.pluralWeekdays,
            TimeWords.seasons,
            TimeWords.numbers, TimeWords.tens, TimeWords.ordinals, TimeWords.directions,
        ] { words.formUnion(table.keys) }
        words.formUnion(TimeWords.units.keys)
        words.formUnion(TimeWords.vagueNumbers.keys)
        words.formUnion(TimeWords.parts.keys)
        return words.union(TimeWords.holidayOpeners).union(["q1", "q2", "q3", "q4", "h1", "h2"])
    }()

    /// True if an expression can begin with a word.
    static func canOpen(_ word: String) -> Bool {
        word.unicodeScalars.first?.isDigit ?? false || openers.contains(word)
    }

    /// A word, if it stands in the same sentence as the one at `i`; empty otherwise.
    func word(_ index: Int, from i: Int) -> String {
        guard tokens.indices.contains(index), tokens[index].sentence == tokens[i].sentence else {
            return ""
        }
        return tokens[index].text
    }

    /// True if it is said not to be then: "not last week", "not on Friday".
    func isDenied(_ i: Int) -> Bool {
        let previous = word(i - 1, from: i)
        return previous == "not"
            || ["on", "in", "at"].contains(previous) && word(i - 2, from: i) == "not"
    }

    /// - Returns: nil if no expression begins at `i`.
    func match(at i: Int) -> Match? {
        guard Self.canOpen(tokens[i].text), let match = plain(at: i, depth: 0) else { return nil }
        return match.isBare && recurs(i, i + match.count) ? .none(match.count) : match
    }

    /// The expression that begins at a word, recurring or not. Longer readings are tried first.
    ///
    /// - Parameter depth: of expressions inside expressions, which is bounded, so that no text
    ///   takes long.
    func plain(at i: Int, depth: Int) -> Match? {
        guard depth < Self.deepest, tokens.indices.contains(i) else { return nil }
        let word = tokens[i].text
        guard Self.canOpen(word) else { return nil }
        if word == "every" || word == "each" { return recurring(at: i, depth: depth) }
        if let part = TimeWords.parts[word] { return self.part(part, at: i, depth: depth) }
        if let match = near(at: i) ?? beforeLast(at: i) ?? relation(at: i, depth: depth) {
            return match
        }
        if let match = ordinalIn(at: i, depth: depth) ?? directed(at: i, depth: depth) {
            return match
        }
        if let match = distance(at: i) ?? ahead(at: i) ?? numeric(at: i) { return match }
        if let match = dayOfMonth(at: i) ?? monthOrQuarter(at: i) { return match }
        return holiday(at: i) ?? weekend(at: i) ?? weekday(at: i)
    }

    // MARK: Days near today

    /// "today", "tomorrow week"
    private func near(at i: Int) -> Match? {
        let offset: Int
        switch tokens[i].text {
        case "today", "tonight": offset = 0
        case "yesterday": offset = -1
        case "tomorrow": offset = 1
        default: return nil
        }
        var count = 1
        var days = offset
        if let weeks = weeksBehind(i) { (count, days) = (2, offset + 7 * weeks) }
        return Match(Days.span(Days.adding(days, to: today)), count)
    }

    /// "tomorrow week", "Tuesday fortnight": how many weeks later.
    func weeksBehind(_ i: Int) -> Int? {
        switch word(i + 1, from: i) {
        case "week": 1
        case "fortnight": 2
        default: nil
        }
    }

    /// "the week after next", "the Friday before last"
    private func beforeLast(at i: Int) -> Match? {
        let relation = word(i + 1, from: i)
        let end = word(i + 2, from: i)
        guard relation == "before" && end == "last" || relation == "after" && end == "next" else {
            return nil
        }
        let direction = end == "last" ? -1 : 1
        let name = tokens[i].text
        if name == "night" { return Match(Days.span(Days.adding(-2, to: today)), 3) }
        guard let near = relative(name, direction) else { return isTimeName(name) ? .none(3) : nil }
        let steps: (Int, Calendar.Component) =
            switch name {
            case "week", "weekend": (7, .day)
            case "month": (1, .month)
            case "quarter": (3, .month)
            case "year": (1, .year)
            case "decade": (10, .year)
            default: TimeWords.weekdays[name] != nil ? (7, .day) : (1, .year)
            }
        return Match(shifted(near, direction * steps.0, steps.1), 3)
    }

    /// True if a word names a unit, a weekday, a month or a season.
    private func isTimeName(_ word: String) -> Bool {
        TimeWords.units[word] != nil || TimeWords.weekdays[word] != nil
            || TimeWords.months[word] != nil
            || TimeWords.seasons[word] != nil
    }

    /// A span moved by so many units, both ends alike.
    func shifted(_ span: DaySpan, _ count: Int, _ component: Calendar.Component) -> DaySpan? {
        guard let start = Days.adding(count, component, to: span.start),
            let end = Days.adding(count, component, to: span.end)
        else { return nil }
        return DaySpan(start: start, end: end, fixesYear: span.fixesYear)
    }

    // MARK: Next to another date

    /// "the day after tomorrow", "two weeks before Easter", "a week from Monday", "the Sunday after
    /// Christmas"
    private func relation(at i: Int, depth: Int) -> Match? {
        if let match = countedWeekday(at: i, depth: depth) { return match }
        if let weekday = TimeWords.weekdays[tokens[i].text],
            let (sign, used) = relationWord(i + 1, from: i)
        {
            guard sign != 0, let anchor = anchor(at: i + 1 + used, from: i, depth: depth) else {
                return word(i - 1, from: i) == "the" ? .none(1) : nil
            }
            guard let span = anchor.span else { return .none(1 + used + anchor.count) }
            return Match(beyond(span, weekday, sign, number: 1), 1 + used + anchor.count)
        }
        let amount: Amount
        let used: Int
        if let unit = TimeWords.units[tokens[i].text], tokens[i].text != "night" {
            if let week = weekOf(at: i, depth: depth) { return week }
            // Without a number it is one: "the day after Christmas".
            guard !tokens[i].text.hasSuffix("s") else { return nil }
            (amount, used) = (Amount(low: 1, high: 1, unit: unit), 1)
        } else if let found = self.amount(at: i) {
            (amount, used) = found
        } else {
            return nil
        }
        let next = word(i + used, from: i)
        if next == "ago" { return nil }
        if ["today", "tomorrow", "on", "next", "this"].contains(next)
            || TimeWords.weekdays[next] != nil
        {
            return weeksOn(amount, used, at: i, depth: depth)
        }
        guard let (sign, words) = relationWord(i + used, from: i), sign != 0 else { return nil }
        let index = i + used + words
        if word(index, from: i) == "now" {
            return Match(distance(amount, 1, from: today, isExact: false), used + words + 1)
        }
        guard let anchor = anchor(at: index, from: i, depth: depth) else { return nil }
        let count = used + words + anchor.count
        guard let span = anchor.span else { return .none(count) }
        if span.isDay {
            let isCounted = TimeWords.units[tokens[i].text] == nil
            if isCounted || amount.unit.component == .day {
                return Match(distance(amount, sign, from: span.start, isExact: true), count)
            }
            // "the week after Christmas"
            guard amount.unit == TimeWords.Unit(component: .weekOfYear) else { return .none(count) }
            return Match(Days.span(sign > 0 ? span.end : Days.adding(-7, to: span.start), 7), count)
        }
        // "the week after next week": of the same length only.
        guard amount.low == 1, amount.high == 1,
            let own = Days.span(span.start, amount.unit.factor, amount.unit.component),
            own.end == span.end
        else { return .none(count) }
        return Match(shifted(span, sign * amount.unit.factor, amount.unit.component), count)
    }

    /// "two Sundays after Easter"
    private func countedWeekday(at i: Int, depth: Int) -> Match? {
        guard
            let number = TimeWords.numbers[tokens[i].text]
                ?? (tokens[i].text.utf8.count == 1 ? Int(tokens[i].text) : nil),
            (1...20).contains(number), let weekday = TimeWords.pluralWeekdays[word(i + 1, from: i)],
            let (sign, used) = relationWord(i + 2, from: i),
            let anchor = anchor(at: i + 2 + used, from: i, depth: depth)
        else { return nil }
        return Match(
            anchor.span.flatMap { beyond($0, weekday, sign, number: number) },
            2 + used + anchor.count)
    }

    /// The `number`th weekday after a span, or before it.
    private func beyond(_ span: DaySpan, _ weekday: Int, _ sign: Int, number: Int) -> DaySpan? {
        guard let from = sign > 0 ? Days.adding(-1, to: span.end) : span.start else { return nil }
        let ahead = (weekday - Days.weekday(of: from) + 7) % 7
        let behind = (Days.weekday(of: from) - weekday + 7) % 7
        let first = sign > 0 ? (ahead == 0 ? 7 : ahead) : -(behind == 0 ? 7 : behind)
        return Days.span(Days.adding(first + sign * 7 * (number - 1), to: from))
    }

    /// The direction that a word leads to, and how many words that takes.
    private func relationWord(_ index: Int, from i: Int) -> (sign: Int, count: Int)? {
        switch word(index, from: i) {
        case "after", "from", "following": (1, 1)
        case "before": (-1, 1)
        case "prior" where word(index + 1, from: i) == "to": (-1, 2)
        default: nil
        }
    }

    /// The date that another is counted from.
    func anchor(at index: Int, from i: Int, depth: Int) -> (span: DaySpan?, count: Int)? {
        let article = word(index, from: i) == "the" ? 1 : 0
        let start = index + article
        guard tokens.indices.contains(start), tokens[start].sentence == tokens[i].sentence else {
            return nil
        }
        if article == 0, let weekday = TimeWords.weekdays[tokens[start].text] {
            // "a week from Monday", said on a Monday: today.
            let isPast = TenseReader(tokens: tokens).tense(before: i, after: start + 1) == .past
            let ahead = (weekday - Days.weekday(of: today) + 7) % 7
            let days = isPast && word(index - 1, from: i) != "from" && ahead > 0 ? ahead - 7 : ahead
            return (Days.span(Days.adding(days, to: today)), 1)
        }
        if let name = holiday(at: start, needsPreposition: false) {
            return (name.spans.first, article + name.count)
        }
        guard let match = plain(at: start, depth: depth + 1) else { return nil }
        return (match.spans.count == 1 ? match.spans[0] : nil, article + match.count)
    }

    /// "a week on Monday", "a fortnight tomorrow", "two weeks next Friday"
    private func weeksOn(_ amount: Amount, _ used: Int, at i: Int, depth: Int) -> Match? {
        let on = word(i + used, from: i) == "on" ? 1 : 0
        let index = i + used + on
        let next = word(index, from: i)
        guard amount.low == amount.high,
            amount.unit.component == .weekOfYear || amount.unit.component == .day
        else {
            return nil
        }
        let isDay =
            ["today", "tomorrow"].contains(next) || TimeWords.weekdays[next] != nil
            || ["next", "this"].contains(next)
                && TimeWords.weekdays[word(index + 1, from: i)] != nil
        guard isDay, let anchor = anchor(at: index, from: i, depth: depth), let span = anchor.span
        else { return nil }
        let tense = TenseReader(tokens: tokens).tense(before: i, after: index + anchor.count)
        let count = used + on + anchor.count
        // "It is two weeks today" looks back.
        guard tense == .future || next != "today" && tense == .present else { return .none(count) }
        return Match(distance(amount, 1, from: span.start, isExact: true), count)
    }

    /// "the week of May 8", "week commencing 3 March"
    private func weekOf(at i: Int, depth: Int) -> Match? {
        guard tokens[i].text == "week" else { return nil }
        let next = word(i + 1, from: i)
        if let number = Int(next), (1...53).contains(number) {
            let of = ["of", "in"].contains(word(i + 2, from: i)) ? 1 : 0
            guard let year = year(word(i + 2 + of, from: i)) else { return nil }
            return Match(Days.week(number, of: year), 3 + of)
        }
        guard ["of", "commencing", "beginning", "starting"].contains(next),
            let anchor = anchor(at: i + 2, from: i, depth: depth)
        else { return nil }
        guard let day = anchor.span, day.isDay else { return .none(2 + anchor.count) }
        var week = Days.span(next == "of" ? Days.monday(of: day.start) : day.start, 7)
        week?.fixesYear = day.fixesYear
        return Match(week, 2 + anchor.count)
    }

    // MARK: Recurrence

    /// "every other Tuesday", "each May"
    private func recurring(at i: Int, depth: Int) -> Match? {
        var skipped = 1
        while skipped <= 3 {
            if let match = plain(at: i + skipped, depth: depth + 1),
                tokens[i + skipped].sentence == tokens[i].sentence
            {
                return .none(skipped + match.count)
            }
            guard TimeWords.everyOther.contains(word(i + skipped, from: i)) else { return nil }
            skipped += 1
        }
        return nil
    }

    /// True if the clause says that something happens again and again.
    private func recurs(_ start: Int, _ end: Int) -> Bool {
        for i in stride(from: start - 1, through: max(0, start - 12), by: -1) where i >= 0 {
            if tokens[i].endsClause { break }
            if TimeWords.recurrences.contains(tokens[i].text) { return true }
        }
        var i = end
        while i < tokens.count, i < end + 12, !tokens[i - 1].endsClause {
            if TimeWords.recurrences.contains(tokens[i].text) { return true }
            i += 1
        }
        return false
    }
}
