import Foundation

/// Times as exports write them.
enum ImportTime {
    /// A date as text, or as seconds, milliseconds, microseconds or nanoseconds since 1970; nil for
    /// 0, which means that it is not known.
    static func date(_ json: JSONValue?) -> Date? {
        switch json {
        case .number(let number): date(number)
        case .string(let text): DateText.parse(text) ?? Double(text).flatMap(date)
        default: nil
        }
    }

    /// A number by its size in the unit that gives a time of our days.
    private static func date(_ number: Double) -> Date? {
        // Seconds reach the year 5138 at 1e11, which as milliseconds is 1973.
        let magnitude = abs(number)
        let unit: Double
        switch magnitude {
        case 0: return nil
        case ..<1e11: unit = 1
        case ..<1e14: unit = 1e3
        case ..<1e17: unit = 1e6
        case ..<1e20: unit = 1e9
        default: return nil
        }
        // Years before the first are no times of messages.
        return number / unit > -62e9 ? Date(timeIntervalSince1970: number / unit) : nil
    }

    /// Puts what is known in the place of missing times: the message before, else the
    /// conversation's begin, the message after, its end.
    static func filled(_ times: [Date?], begin: Date?, end: Date?) -> [Date?] {
        var last = begin ?? times.lazy.compactMap(\.self).first ?? end
        return times.map { time in
            last = time ?? last
            return last
        }
    }
}

/// Fills in times in a file whose entries come one by one.
///
/// A file is seen in batches: what came before is remembered, what comes in a later batch is not
/// known yet.
struct TimeFiller: Sendable {
    /// A conversation of one user.
    private struct Thread: Hashable {
        var user: String?, session: String?
    }

    /// The last time of each conversation, and of the file.
    private var latest: [Thread: Date] = [:], last: Date?

    /// Gives an entry without a time that of the one before it of the same conversation, else of
    /// the next one here, else of any.
    mutating func fill(_ entries: inout [ImportEntry]) {
        for i in entries.indices {
            let thread = Thread(user: entries[i].user, session: entries[i].input.session)
            if let time = entries[i].input.eventTime { (latest[thread], last) = (time, time) }
            entries[i].input.eventTime = latest[thread]
        }
        var next: [Thread: Date] = [:]
        var any = last
        for i in entries.indices.reversed() {
            let thread = Thread(user: entries[i].user, session: entries[i].input.session)
            entries[i].input.eventTime = entries[i].input.eventTime ?? next[thread] ?? any
            (next[thread], any) = (entries[i].input.eventTime, entries[i].input.eventTime)
        }
    }
}
