public import Foundation
import MnemeBase

/// Finding moments: points, and ends of requests between them.
extension BackupSeries {
    /// The last moment at or before a time.
    ///
    /// A point's time is when it was made, a request's the one in the audit log; both are looked at
    /// to the second. Where the store went back to an earlier state, the moments after that are those
    /// of what came then.
    ///
    /// - Throws: ``StoreError`` if there is none.
    /// - Complexity: the audit log of the point after it.
    public func moment(at time: Date) throws -> BackupMoment {
        let points = try requirePoints()
        let end = time.timeIntervalSince1970
        func isBy(_ seconds: Double) -> Bool { seconds.rounded(.down) <= end }
        let i = points.lastIndex { isBy($0.time.timeIntervalSince1970) }
        let next = (i ?? -1) + 1
        guard points.indices.contains(next) else { return BackupMoment(points[i!]) }
        let before = i.map { points[$0] }
        // What a store that went back did before this point is of no moment now.
        let base = points[next].isBranch == true ? nil : before
        let found = try lastEntry(of: points[next], after: base) { row in
            try isBy(row.real("time", of: .audit))
        }
        if let found, before.map({ base != nil || found.time >= $0.time }) ?? true {
            return BackupMoment(found, between: base, points[next])
        }
        if let before { return BackupMoment(before) }
        throw tooEarly(points[0])
    }

    /// The end of the last request that wrote nothing behind a position of the journal; a point with
    /// just this position is taken as it is.
    ///
    /// Where several histories have the position, as a store went back to an earlier state, it is the
    /// newest.
    ///
    /// - Throws: ``StoreError`` if there is none.
    /// - Complexity: the audit log of the point after it.
    public func moment(position: Int64) throws -> BackupMoment {
        let points = try requirePoints()
        if let point = points.last(where: { $0.position == position }) { return BackupMoment(point) }
        /// The point that the journal of another goes on from.
        func base(_ i: Int) -> BackupPoint? { i == 0 || points[i].isBranch == true ? nil : points[i - 1] }
        let i = points.indices.last { base($0)?.position ?? 0 < position && points[$0].position > position }
        guard let i else {
            guard let last = points.last(where: { $0.position < position }) else { throw tooEarly(points[0]) }
            return BackupMoment(last)
        }
        let found = try lastEntry(of: points[i], after: base(i), endsRequest: true) { row in
            guard case .number(let last) = row.value("journal_last", of: .audit) else { return true }
            return last <= position
        }
        if let found { return BackupMoment(found, between: base(i), points[i]) }
        if let base = base(i) { return BackupMoment(base) }
        throw tooEarly(points[0])
    }

    private func tooEarly(_ first: BackupPoint) -> StoreError {
        StoreError(
            .notFound,
            "\(name) knows of no moment so early: its first point is of \(first.time.formatted(.iso8601)), up to position "
                + "\(first.position), and the audit log that it has begins later.")
    }

    /// The points, of which there is one at least.
    func requirePoints() throws -> [BackupPoint] {
        let points = try points()
        guard points.isEmpty else { return points }
        throw StoreError(.notFound, "There is no backup at \(name). `mneme backup make` begins one.")
    }

    /// Walks the audit log of a point from the one before up to the first entry that is not wanted.
    ///
    /// - Parameter endsRequest: only entries that wrote to the journal are looked for.
    /// - Returns: the last entry before; nil if there is none.
    private func lastEntry(
        of point: BackupPoint, after base: BackupPoint?, endsRequest: Bool = false,
        _ isWanted: ([StoredValue]) throws -> Bool
    ) throws -> (time: Date, journal: Int64, audit: Int64)? {
        var found: (time: Date, journal: Int64, audit: Int64)?
        var (journal, isPast) = (base?.marks.journal ?? 0, false)
        try read(.audit, of: point) { row in
            let audit = try row.number("position", of: .audit)
            guard !isPast, audit > base?.marks.audit ?? 0 else { return }
            guard try isWanted(row) else { return isPast = true }
            if case .number(let last) = row.value("journal_last", of: .audit) {
                journal = last
            } else if endsRequest {
                return
            }
            found = (Date(timeIntervalSince1970: try row.real("time", of: .audit)), journal, audit)
        }
        return found
    }
}
