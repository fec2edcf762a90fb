public import Foundation

/// A moment that a store can be put back to: a point of a backup, or the end of any request between
/// two points, which the journal and the audit log of the later one tell of.
public struct BackupMoment: Sendable, Equatable {
    /// The time of the point; of another moment, that of its last entry in the audit log.
    public var time: Date
    /// The last position of the journal.
    public var position: Int64
    /// The point that it is, or the last one before; nil before the first.
    public var before: BackupPoint?
    /// The next point, whose journal tells what had changed by then; nil for a point.
    public var after: BackupPoint?
    /// The last entry of the audit log.
    package var audit: Int64

    /// The moment that a point was made.
    public init(_ point: BackupPoint) {
        (time, position, before, audit) = (point.time, point.position, point, point.marks.audit)
    }

    /// A moment of the log that a point has.
    init(_ end: (time: Date, journal: Int64, audit: Int64), between before: BackupPoint?, _ after: BackupPoint) {
        (time, position, audit) = end
        (self.before, self.after) = (before, after)
    }
}
