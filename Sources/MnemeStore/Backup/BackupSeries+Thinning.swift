import Foundation
import MnemeBase

/// Old points merged: each point that stays restores the same as before, with what the points
/// before it had of rows that changed again left out.
extension BackupSeries {
    /// What has become of a series.
    public struct Pruned: Sendable, Equatable {
        /// Points, and the bytes of their files, before and now.
        public var pointsBefore: Int, points: Int, bytesBefore: Int, bytes: Int
    }

    /// Merges all points that are not to stay, each into the next that does; the oldest that stays
    /// becomes the whole copy.
    ///
    /// What stays is as it was: new files are written first, then the manifest, and the old ones are
    /// removed last. Where it ends half-way, nothing has changed, and the next run removes what is
    /// left. Moments between points can be restored as before (``moment(at:)``).
    ///
    /// - Parameter keep: which points stay.
    /// - Throws: ``StoreError`` if there is no backup, a file is missing or damaged, or another backup
    ///   has begun; `FileError` of the place; `SealError` for a key that is missing or wrong.
    /// - Complexity: one pass over the files of the points that are merged.
    public func prune(_ keep: BackupRetention) throws -> Pruned {
        _ = try requirePoints()
        return try place.alone { try thin(keep, surplus: 1, isEager: true) }
    }

    /// As ``prune(_:)``, for who has the place alone.
    ///
    /// - Parameters:
    ///   - surplus: so many points are worth it; nothing happens for fewer.
    ///   - isEager: the whole copy is written anew also where it is larger than the changes that it
    ///     takes in.
    func thin(_ keep: BackupRetention, surplus: Int, isEager: Bool) throws -> Pruned {
        guard let former = try manifest() else { return Pruned(pointsBefore: 0, points: 0, bytesBefore: 0, bytes: 0) }
        try requireKey(former.isSealed)
        let points = former.manifest.points
        func bytes(_ points: some Collection<BackupPoint>) -> Int { points.reduce(0) { $0 + $1.bytes } }
        var kept = keep.kept(of: points.map(\.time), now: Date())
        if !isEager, let first = kept.min(), first > 0, !points[1...first].contains(where: \.isWhole),
            points[0].bytes > max(Self.fewBytes, bytes(points[1...first]))
        {
            kept.insert(0)
        }
        var pruned = Pruned(
            pointsBefore: points.count, points: points.count, bytesBefore: bytes(points), bytes: bytes(points))
        guard points.count - kept.count >= surplus else { return pruned }
        let claim = try begin(former.manifest, former.object)
        var next = former.manifest
        next.run += 1
        do {
            next.points = []
            var (start, files) = (0, 0)
            for end in kept.sorted() {
                next.points.append(try merged(points[start...end], run: next.run, &files))
                start = end + 1
            }
        } catch {
            try? removeOrphans(former.manifest, upTo: next.run)
            throw error
        }
        try replace(claim, by: next)
        try removeOrphans(next, upTo: next.run)
        (pruned.points, pruned.bytes) = (next.points.count, bytes(next.points))
        return pruned
    }

    /// The last of some points, with all that it needs of those before it.
    ///
    /// - Parameter count: the files that the run has written so far.
    private func merged(_ points: ArraySlice<BackupPoint>, run: Int, _ count: inout Int) throws -> BackupPoint {
        // A whole copy needs nothing of what came before.
        let start = points.lastIndex(where: \.isWhole) ?? points.startIndex
        var merged = points[points.endIndex - 1]
        merged.isBranch = points.contains { $0.isBranch == true } ? true : nil
        guard points.endIndex - start > 1 else { return merged }
        merged.isWhole = points[start].isWhole
        var files: [BackupFile] = []
        let before = count
        var writer = BackupSegmentWriter { data, tables in
            let file = try file(data, of: tables, Self.name(run, before + files.count + 1))
            try place.write(file.data, as: file.file.name)
            files.append(file.file)
        }
        var reading = try BackupReading(points[start...].map { BackupPart(series: self, point: $0) })
        try reading.merge(to: &writer)
        count += files.count
        (merged.files, merged.rows) = (files, writer.rows)
        merged.bytes = files.reduce(0) { $0 + $1.bytes }
        return merged
    }
}
