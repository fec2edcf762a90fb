/// Clusters keys as they come, and keeps the centres, each for as many rows as it stands for (SubGen, Zandieh
/// et al. 2024): streams whose keys form clusters need rows for the clusters, not for the tokens.
///
/// Centres are the rows that lie farthest from each other (greedy k-centers, Gonzalez 1985); all other rows
/// join the nearest, whose key and value become the mean of what it stands for. The last rows stay. With a radius there
/// are no more centres than it takes for each row to have one within it: of streams that form clusters their number
/// hardly grows, and attention behind an eviction errs by (e^(4·r·‖q‖) − 1)·max‖v‖ at most: a row lies within two radii
/// of the mean that stands for it, so that no score is off by more than 2·r·‖q‖. The budget bounds them in any case. Values are averaged where the paper draws a sample of them by
/// length.
public struct SubGen: TokenScorer, Disposer, HeadAllocator {
    /// The share of the budget that the last rows have.
    public var recent: Double
    /// How far a row's key may be from its centre's; 0 takes as many centres as the budget has room for.
    public var radius: Float

    /// By default half of the budget for the last rows.
    public init(recent: Double = 0.5, radius: Float = 0) { (self.recent, self.radius) = (recent, radius) }

    /// The rows that it takes: the last ones, and centres.
    ///
    /// - Complexity: O(rows·centres·dimension).
    public func measure(_ rows: KVRows) -> [Float] {
        guard radius > 0 else { return [Float(rows.budget)] }
        return [Float(scores(rows).count { $0 >= 0 })]
    }

    /// As many as it takes, and no more than the budget.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        heads.map { $0.map { min(budget, Int($0.values[0])) } }
    }

    /// The policy needs no attention weights.
    public var needs: AttentionNeed { .none }

    /// Infinity for the last rows; of the others, those chosen as centres first score highest.
    ///
    /// - Complexity: O(rows·budget·dimension).
    public func scores(_ rows: KVRows) -> [Float] {
        let last = min(rows.count, Int(recent * Double(rows.budget)))
        let open = rows.count - last
        var scores = [Float](repeating: .infinity, count: rows.count)
        guard open > 0 else { return scores }
        let keys = (0..<open).map(rows.key)
        var distances = [Float](repeating: .infinity, count: open)
        for row in 0..<open { scores[row] = -1 }
        // The first row is what many look at without need of it (attention sinks).
        var next = 0
        for chosen in 0..<min(open, rows.budget - last) {
            scores[next] = Float(rows.count - chosen)
            var farthest = (row: 0, distance: Float(-1))
            for row in 0..<open {
                distances[row] = min(distances[row], Self.distance(keys[row], keys[next]))
                if scores[row] < 0, distances[row] > farthest.distance { farthest = (row, distances[row]) }
            }
            next = farthest.row
            // All others have a centre that is near enough.
            if radius > 0, farthest.distance <= radius * radius { break }
        }
        return scores
    }

    /// The square of a distance.
    static func distance(_ a: [Float], _ b: [Float]) -> Float {
        var sum: Float = 0
        for (x, y) in zip(a, b) { sum += (x - y) * (x - y) }
        return sum
    }

    /// Each centre with the rows that lie nearest to it, weighted by what they stand for.
    ///
    /// - Complexity: O(lost·kept·dimension).
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] {
        let last = Int(recent * Double(rows.budget))
        let centres = kept.filter { $0 + last < rows.count }
        guard !centres.isEmpty else { return [] }
        let keys = centres.map(rows.key)
        var members: [Int: [Int]] = [:]
        for row in lost {
            let key = rows.key(row)
            let distances = keys.map { Self.distance($0, key) }
            let nearest = distances.indices.min { distances[$0] < distances[$1] } ?? 0
            members[centres[nearest], default: []].append(row)
        }
        return members.sorted { $0.key < $1.key }.map { centre, others in
            var change = rows.merged(([centre] + others).map { (row: $0, weight: rows.weight($0)) })
            change.mergeCount = ([centre] + others).reduce(0) { $0 + rows.weight($1) }
            return change
        }
    }
}
