import Foundation
import MnemeBase

extension BackupSeries {
    /// What was put back.
    public struct Restored: Sendable {
        /// Memories of the moment, and rows written.
        public var memories: Int, rows: Int
        /// Memories of the moment that were erased later, with their owners: they are to be erased
        /// again before the store is used. What stands in the store of them has no text.
        public var erasedLater: [(owner: Owner, id: CubeID)]
    }

    /// Writes the rows of a point into an empty store, as ``restore(_:to:by:progress:)-(BackupMoment,_,_,_)``
    /// does.
    public func restore(
        _ point: BackupPoint, to store: any MemoryStore, by caller: Caller = .local,
        progress: (_ rows: Int) -> Void = { _ in }
    ) throws -> Restored {
        try restore(BackupMoment(point), to: store, by: caller, progress: progress)
    }

    /// Writes the rows of a moment into an empty store, in one transaction.
    ///
    /// Of a moment between two points the memories with their history, claims, edges and sessions,
    /// grants, policies, answers to repeated requests and the audit log are those of the moment; jobs,
    /// schedules, use counts and progress of jobs are those of the point before. A grant that was
    /// both made and taken back between the points is not there. Vectors are those of the points around where the
    /// text is the same; others are made again when the store is used.
    ///
    /// - Parameters:
    ///   - moment: one of ``moment(at:)`` or ``moment(position:)``.
    ///   - store: an empty store, of any backend that can be copied to.
    ///   - caller: must administer the store.
    ///   - progress: called with rows done.
    /// - Throws: ``StoreError`` if the store is not empty, or a file is missing, damaged or of another
    ///   version; nothing is written then. `SealError` for a key that is missing or wrong.
    /// - Complexity: one pass over the files from the last whole copy to the point, and between points
    ///   another; memory for what changed after the whole copy, and for memories that changed between
    ///   the point before and the moment.
    public func restore(
        _ moment: BackupMoment, to store: any MemoryStore, by caller: Caller = .local,
        progress: (_ rows: Int) -> Void = { _ in }
    ) throws -> Restored {
        guard let target = store as? any CopyableStore else {
            throw StoreError(.unavailable, "This kind of store cannot be restored to.")
        }
        let spool = Self.spool()
        defer { try? FileManager.default.removeItem(atPath: spool.name) }
        return try place.alone {
            var reading = try reading(moment, spool)
            try target.writeTables { writer in
                guard try writer.isEmpty() else {
                    throw StoreError(
                        .conflict, "The store to restore to holds something already. Name one that is empty.")
                }
                try reading.write(to: writer, progress)
            }
            try target.note("restored from \(name), position \(moment.position)", by: caller)
            return Restored(
                memories: reading.memories, rows: reading.rows, erasedLater: reading.erasedLater)
        }
    }

    /// What a moment consists of.
    ///
    /// - Parameter spool: where rows are written that no point has.
    private func reading(_ moment: BackupMoment, _ spool: BackupSeries) throws -> BackupReading {
        let points = try points()
        // Its files may be others by now: they are rewritten for erasures, and merged.
        func place(of point: BackupPoint) throws -> Int {
            let found = points.lastIndex { $0.time == point.time && $0.position == point.position }
            if let found { return found }
            throw StoreError(
                .conflict, "The points of \(name) are others than they were. Ask for the moment again.")
        }
        func parts(_ range: some Collection<Int>) -> [BackupPart] {
            range.map { BackupPart(series: self, point: points[$0]) }
        }
        var before: [BackupPart] = []
        if let end = try moment.before.map(place), let start = points[...end].lastIndex(where: \.isWhole) {
            before = parts(start...end)
            if moment.after == nil {
                return try BackupReading(before, later: erasures(parts((end + 1)..<points.endIndex)))
            }
        }
        guard let after = moment.after else {
            throw StoreError(.corrupt, "\(name) has no whole copy before that point.")
        }
        let next = try place(of: after)
        var rows = try MomentRows(moment, (before, parts(next...next)[0]), out: spool, terms)
        let (part, erased) = try rows.write()
        return try BackupReading(
            before + [part], later: erased.union(erasures(parts((next + 1)..<points.endIndex))))
    }

    /// Memories that points erased.
    private func erasures(_ points: [BackupPart]) throws -> Set<String> {
        var found: Set<String> = []
        for point in points {
            try point.read(.journal) { if let id = BackupReading.erasure($0) { found.insert(id) } }
        }
        return found
    }
}
