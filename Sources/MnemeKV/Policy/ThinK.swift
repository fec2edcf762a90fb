/// Drops the elements of keys that the last tokens' queries hardly meet (ThinK, Xu et al. 2024).
///
/// Of a head, element i is worth ‖Qᵢ‖·‖Kᵢ‖, the norm of what it adds to the scores of the window's
/// queries. The lowest share of the elements is dropped from all kept rows but the last ones, and from
/// none that come later. Dropped elements are 0 in memory: they are not counted, but their place is not
/// used for anything else.
public struct ThinK: Disposer {
    /// The share of elements that goes, and the last rows, which keep all.
    public var share: Double, recent: Int

    /// By default the paper's 40 %.
    public init(share: Double = 0.4, recent: Int = 32) { (self.share, self.recent) = (share, recent) }

    /// For the norms of their elements.
    public var needsQueries: Bool { true }
    /// What is left of a key.
    public var keyShare: Double { 1 - share }

    /// The elements of a head that go.
    public func dropped(_ rows: KVRows, of kept: [Int]) -> [Int] {
        var keys = [Float](repeating: 0, count: rows.dimension)
        var queries = keys
        for row in kept { for (e, x) in rows.key(row).enumerated() { keys[e] += x * x } }
        for query in rows.queries.joined() { for (e, x) in query.enumerated() { queries[e] += x * x } }
        let worth = zip(keys, queries).map { $0 * $1 }
        return worth.indices.sorted { (worth[$0], $0) < (worth[$1], $1) }
            .prefix(Int(share * Double(rows.dimension)))
            .sorted()
    }

    /// Kept rows without these elements.
    ///
    /// - Complexity: O(kept·dimension).
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] {
        let dropped = dropped(rows, of: kept)
        return kept.filter { $0 + recent < rows.count }.map { row in
            var key = rows.key(row)
            for e in dropped { key[e] = 0 }
            return KVChange(row: row, key: key, value: rows.value(row), mergeCount: rows.weight(row))
        }
    }
}
