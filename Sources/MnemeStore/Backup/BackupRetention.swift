package import Foundation

/// Which points of a backup stay as they are; the others are merged into the next that stays.
///
/// As restic and borg choose: the last point of each of the last hours, days, weeks, months and
/// years that have one, in UTC. The last of all stays.
public struct BackupRetention: Sendable, Equatable {
    /// A stretch of time of which one point stays; the letter that names it.
    public enum Period: Character, Sendable, CaseIterable {
        /// A calendar hour in UTC.
        case hour = "h"
        /// A calendar day in UTC.
        case day = "d"
        /// A calendar week in UTC.
        case week = "w"
        /// A calendar month in UTC.
        case month = "m"
        /// A calendar year in UTC.
        case year = "y"
    }

    /// All points of so many days stay; 0 for none.
    private var days = 0
    /// So many of the periods have their last point kept.
    private var counts: [Period: Int] = [:]

    /// All points of the last 30 days.
    public static let month = BackupRetention(days: 30)

    /// Points of more than this are too many for one list: every second of the older half goes.
    package static let mostPoints = 1_000

    init(days: Int) { self.days = days }

    /// Reads what a user writes, such as `24h,30d,12m`: numbers with the letter of a ``Period``.
    ///
    /// - Returns: nil if it is anything else, or a period comes twice.
    public init?(_ text: String) {
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let letter = part.last, let period = Period(rawValue: letter),
                let count = Int(part.dropLast()), count > 0, counts[period] == nil
            else { return nil }
            counts[period] = count
        }
    }

    /// The points that stay, by their places in a list.
    ///
    /// - Parameters:
    ///   - times: the points' times, in the order in which they were made.
    ///   - now: the time that days are counted back from.
    ///   - most: how many may stay.
    package func kept(of times: [Date], now: Date, most: Int = mostPoints) -> Set<Int> {
        guard let last = times.indices.last else { return [] }
        var kept: Set = [last]
        let oldest = now.addingTimeInterval(-86_400 * Double(days))
        if days > 0 { kept.formUnion(times.indices.filter { times[$0] >= oldest }) }
        for (period, count) in counts {
            var seen: Set<Int> = []
            for i in times.indices.reversed() where seen.insert(Self.number(of: times[i], period)).inserted {
                guard seen.count <= count else { break }
                kept.insert(i)
            }
        }
        guard kept.count > most else { return kept }
        let older = kept.sorted().prefix(kept.count / 2)
        return kept.subtracting(older.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element))
    }

    /// The number of the period that a time lies in.
    private static func number(of time: Date, _ period: Period) -> Int {
        let hours = Int((time.timeIntervalSince1970 / 3_600).rounded(.down))
        let days = Int((time.timeIntervalSince1970 / 86_400).rounded(.down))
        switch period {
        case .hour: return hours
        case .day: return days
        // The first day of 1970 was a Thursday.
        case .week: return Int((Double(days + 3) / 7).rounded(.down))
        case .month, .year:
            var calendar = Calendar(identifier: .gregorian)
            calendar.timeZone = .gmt
            let parts = calendar.dateComponents([.year, .month], from: time)
            let year = parts.year ?? 0
            return period == .year ? year : year * 12 + (parts.month ?? 0)
        }
    }
}
