/// Which segments of an index's tables are written as one: a pure function.
///
/// Tiered merging, as log-structured stores have it (O'Neil et al., "The Log-Structured Merge-Tree", 1996;
/// Lester, Moffat and Zobel for inverted files, "Fast On-Line Index Construction by Geometric
/// Partitioning", 2005): a segment is merged with those behind it when together they are so many times as
/// large. So each memory is written again as often as the logarithm of all, and segments are few.
package enum SegmentMerge {
    /// How many times as large as a segment those behind it are when they are merged with it.
    private static let factor: Int64 = 3

    /// The first of the segments that are written as one.
    ///
    /// - Parameter positions: the journal positions that the segments have reached; between two lies what
    ///   the latter has.
    /// - Returns: nil if all stay.
    package static func first(_ positions: [Int64]) -> Int? {
        guard let end = positions.last else { return nil }
        for place in positions.indices.dropLast() {
            let size = positions[place] - (place == 0 ? 0 : positions[place - 1])
            // The first has room in memory for as much again.
            let factor = place == 0 ? 1 : Self.factor
            if end - positions[place] >= max(1, size) * factor { return place }
        }
        return nil
    }
}
