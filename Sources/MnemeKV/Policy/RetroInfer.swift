import MnemeNumerics

/// Puts like keys into one page, reads the pages whose mean key scores highest, and estimates all others by
/// their mean keys and values (RetroInfer's wave index, Chen et al. 2025): what a query looks for is then
/// in few pages, and a mean stands for its keys well.
///
/// The first page and the last ones keep the order of the text (the paper's steady zone). Clusters
/// have a page's length each, made by halving: 2-means, cut where both sides are whole pages. All that is
/// not read is estimated, where the paper leaves the least out; its tiers are not here. Rows that come
/// behind the prompt stay in the order of the text.
public struct RetroInfer: KVSelector {
    /// None: all layers choose.
    public var wholeLayers: Int { 0 }
    /// The mean.
    public var vectors: Int { 1 }
    /// None.
    public var outliers: Double { 0 }
    /// Means of keys and values stand for what is not read.
    public let estimates: Bool
    /// Like keys share a page.
    public var arranges: Bool { true }
    /// Rounds of 2-means at each halving.
    public var rounds: Int

    /// By default with two rounds; without estimates, what is not read is left out.
    public init(rounds: Int = 2, estimates: Bool = true) { (self.rounds, self.estimates) = (rounds, estimates) }

    /// The mean key.
    public func summary(_ keys: [[Float]]) -> KVPageSummary { KVPageSummary(vectors: [keys.mean]) }

    /// Rows page by page of like keys.
    ///
    /// - Complexity: O(rows·dimension·rounds·log(pages)).
    public func order(_ keys: [[Float]]) -> [Int] {
        guard !keys.isEmpty else { return [] }
        var halving = Halving(keys: keys.flatMap(\.self), rows: keys.count, rounds: rounds)
        halving.halve(0..<keys.count)
        return halving.order
    }
}

/// Rows on their way to pages of like keys.
private struct Halving {
    /// The keys one behind the other, and their elements.
    let keys: [Float], dimension: Int
    let rounds: Int
    /// Rows in their order so far.
    private(set) var order: [Int]
    /// How far each row leans to one side.
    private var lean: [Float]

    init(keys: [Float], rows: Int, rounds: Int) {
        (self.keys, self.rounds) = (keys, rounds)
        dimension = keys.count / rows
        order = Array(0..<rows)
        lean = [Float](repeating: 0, count: rows)
    }

    /// Cuts a range of `order` in two where a page ends, like keys on one side, and goes on with both.
    mutating func halve(_ range: Range<Int>) {
        let block = KVShape.blockTokens
        guard range.count > block else { return order[range].sort() }
        let cut = range.lowerBound + range.count / block / 2 * block
        // It begins with the key that is farthest from the mean.
        let center = mean(range)
        let far = order[range].max { distance($0, center) < distance($1, center) } ?? 0
        sort(range, along: (0..<dimension).map { keys[far * dimension + $0] - center[$0] })
        for _ in 0..<rounds {
            let low = mean(range.lowerBound..<cut)
            let high = mean(cut..<range.upperBound)
            sort(range, along: zip(low, high).map { $1 - $0 })
        }
        halve(range.lowerBound..<cut)
        halve(cut..<range.upperBound)
    }

    private func mean(_ range: Range<Int>) -> [Float] {
        var sum = [Float](repeating: 0, count: dimension)
        for row in order[range] {
            for e in 0..<dimension { sum[e] += keys[row * dimension + e] }
        }
        return sum.map { $0 / Float(range.count) }
    }

    /// Orders rows by how far they lean along a direction; equals by number.
    private mutating func sort(_ range: Range<Int>, along direction: [Float]) {
        let (keys, dimension) = (keys, dimension)
        let rows = order[range]
        let leans = keys.withUnsafeBufferPointer { keys in
            rows.map { dotProduct(keys.baseAddress! + $0 * dimension, direction, count: dimension) }
        }
        for (row, x) in zip(rows, leans) { lean[row] = x }
        let lean = lean
        order[range].sort { (lean[$0], $0) < (lean[$1], $1) }
    }

    private func distance(_ row: Int, _ center: [Float]) -> Float {
        (0..<dimension).reduce(0) {
            let difference = keys[row * dimension + $1] - center[$1]
            return $0 + difference * difference
        }
    }
}
