public import Foundation
import MnemeStore

/// A time, and the clock that it was read from: "yesterday" is the speaker's yesterday.
public struct ZonedTime: Sendable, Equatable, ParameterValue {
    /// The time.
    public var date: Date
    /// Seconds by which the clock was ahead of UTC; nil where the text does not say.
    public var utcOffset: Int?

    /// The schema of a date: an offset is part of its text.
    public static var schema: [String: JSONValue] { Date.schema }

    /// Reads a date, and keeps the offset that it was written with: "yesterday" in the text is a
    /// day of that clock.
    public init?(json: JSONValue) {
        guard let text = json.string else { return nil }
        self.init(text)
    }

    /// - Parameter text: as ``DateText/parse(_:)`` reads it.
    public init?(_ text: String) {
        guard let date = DateText.parse(text) else { return nil }
        (self.date, utcOffset) = (date, Self.offset(of: text))
    }

    /// The offset behind a time of day: `-08:00`, `+0900`, `+02`.
    private static func offset(of text: String) -> Int? {
        // Most times are of UTC: no sign stands behind the day.
        guard text.utf8.dropFirst(10).contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") })
        else { return nil }
        let text = text.trimmingCharacters(in: .whitespaces)
        // The first ten characters are the day, with its own hyphens.
        let behindDay = text.dropFirst(10)
        guard let sign = behindDay.lastIndex(where: { $0 == "+" || $0 == "-" }) else { return nil }
        let digits = behindDay[behindDay.index(after: sign)...].filter { $0 != ":" }
        guard digits.count == 2 || digits.count == 4, let number = Int(digits) else { return nil }
        let (hours, minutes) = digits.count == 2 ? (number, 0) : (number / 100, number % 100)
        guard hours <= 18, minutes < 60 else { return nil }
        return (behindDay[sign] == "-" ? -1 : 1) * (hours * 3600 + minutes * 60)
    }
}

/// Time of an input, with its clock.
extension MemoryInput {
    /// Says when it was said, and on which clock.
    public mutating func setTime(_ time: ZonedTime?) {
        (eventTime, utcOffset) = (time?.date, time?.utcOffset)
    }
}

extension MemCube {
    /// The event time on the speaker's clock, taken as UTC: relative dates in the text are counted
    /// from there.
    var localTime: Date {
        // No clock on earth is further from UTC; what comes from a file may say anything.
        let offset = header.utcOffset.flatMap { (-64_800...64_800).contains($0) ? $0 : nil }
        return header.eventTime.addingTimeInterval(Double(offset ?? 0))
    }
}
