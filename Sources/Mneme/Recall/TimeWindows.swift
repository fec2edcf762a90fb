import Foundation

/// The times outside of which no memory is near enough to the times that a question names: so that a
/// search compares numbers, and computes nearness for few memories.
package struct TimeWindows {
    /// Seconds since the reference date, in rising order and apart from each other.
    private(set) var ranges: [ClosedRange<Double>] = []

    /// Years that days of any year are looked for in; beyond, all times are taken.
    private static let mostYears = 200
    /// A day, in seconds.
    private static let day: Double = 86_400

    /// The times with a nearness of at least `nearness` to one of some expressions.
    ///
    /// - Parameters:
    ///   - nearness: 0…1; with 0 all that are near at all. See `TimeExpression.proximity(to:)`.
    ///   - bounds: the times that there are.
    package init(_ times: [TimeExpression], nearness: Float, within bounds: ClosedRange<Double>) {
        var found: [ClosedRange<Double>] = []
        for time in times {
            let length = time.end.timeIntervalSince(time.start)
            // A day of any year may be a leap day, which other years do not have.
            let isShort = length <= 3 * Self.day + (time.fixesYear ? 0 : Self.day)
            let around = isShort ? Self.reach(of: nearness) : 0
            for shift in Self.shifts(of: time, within: bounds, around) {
                guard let shift else {
                    ranges = [bounds]
                    return
                }
                let (start, end) = (Self.moved(time.start, shift), Self.moved(time.end, shift))
                // A second more on both sides, for rounding.
                let low = max(bounds.lowerBound, min(start, end) - around - 1)
                let high = min(bounds.upperBound, max(start, end) + around + 1)
                if low <= high { found.append(low...high) }
            }
        }
        for range in found.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = ranges.last, range.lowerBound <= last.upperBound {
                ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                ranges.append(range)
            }
        }
    }

    /// Seconds beside a short span up to which something is so near: nearness falls to 1/e in three
    /// days, and is nothing as a `Float` after 320.
    private static func reach(of nearness: Float) -> Double {
        min(320, nearness > 0 ? 3 * max(0, -log(Double(nearness))) + 0.01 : 320) * day
    }

    /// The years that an expression is moved by to meet times; nil among them where these are too
    /// many.
    private static func shifts(
        of time: TimeExpression, within bounds: ClosedRange<Double>, _ around: Double
    ) -> [Int?] {
        guard !time.fixesYear else { return [0] }
        let calendar = TimeExpressions.calendar
        func year(_ seconds: Double) -> Int {
            calendar.component(.year, from: Date(timeIntervalSinceReferenceDate: seconds))
        }
        let span = bounds.upperBound - bounds.lowerBound
        guard span.isFinite, span < Double(mostYears) * 366 * day else { return [nil] }
        let own = year(time.start.timeIntervalSinceReferenceDate)
        // A time is compared with the span of its own year alone.
        return (year(bounds.lowerBound)...year(bounds.upperBound)).map { $0 - own }
    }

    /// A time so many years later.
    private static func moved(_ date: Date, _ years: Int) -> Double {
        let moved =
            years == 0
            ? date : TimeExpressions.calendar.date(byAdding: .year, value: years, to: date) ?? date
        return moved.timeIntervalSinceReferenceDate
    }

    /// True if a time lies in one of the ranges.
    @inline(__always)
    package func contains(_ seconds: Double) -> Bool {
        for range in ranges where range.contains(seconds) { return true }
        return false
    }
}
