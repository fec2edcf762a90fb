/// Keeps the rows with the most attention as anchors, and merges the others into the nearest anchor
/// (Elastic Cache, Liu et al. 2024).
///
/// A row merged is a mean of keys and values, whatever they are like. The last rows stay. Behind the prompt the rows
/// at a fixed distance from the end go, whatever they are: the prompt's anchors and the last rows stay.
public struct ElasticCache: TokenScorer, Disposer {
    /// Last rows that stay as they are.
    public var recent: Int

    /// By default 32 last rows.
    public init(recent: Int = 32) { self.recent = recent }

    /// The weights of all tokens.
    public var needs: AttentionNeed { .all }

    /// Accumulated attention, and infinity for the last rows; behind the prompt, infinity for all but those that go.
    public func scores(_ rows: KVRows) -> [Float] {
        if rows.isBehindPrompt {
            let end = max(0, rows.count - recent)
            let going = max(0, end - max(0, rows.count - rows.budget))..<end
            return (0..<rows.count).map { going.contains($0) ? 0 : .infinity }
        }
        return rows.attention.enumerated().map { $0 + recent >= rows.count ? .infinity : $1 }
    }

    /// The means of anchors and what lies nearest to them, by position.
    ///
    /// - Complexity: O(rows·dimension).
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] {
        guard !rows.isBehindPrompt else { return [] }
        let anchors = kept.filter { $0 + recent < rows.count }
        guard !anchors.isEmpty else { return [] }
        var members: [Int: [Int]] = [:]
        var next = 0
        for row in lost {
            while next < anchors.count, anchors[next] < row { next += 1 }
            let before = next > 0 ? anchors[next - 1] : anchors[next]
            let after = next < anchors.count ? anchors[next] : before
            members[row - before <= after - row ? before : after, default: []].append(row)
        }
        return members.sorted { $0.key < $1.key }.map { anchor, others in
            let all = [anchor] + others
            return KVChange(
                row: anchor, key: all.map(rows.key).mean, value: all.map(rows.value).mean)
        }
    }
}
