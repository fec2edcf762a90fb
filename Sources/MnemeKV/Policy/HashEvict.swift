import MnemeBase

/// Evicts the rows whose keys point away from the last token's queries, told by a few bits of each
/// (HashEvict, Liu et al. 2024): no attention is looked at.
///
/// A vector's bits are the signs of its projections to random directions; the share of bits in which two
/// vectors differ is about the angle between them. The first rows and the last ones stay. The paper evicts
/// one row for each token before it attends; here as many go at once as have come.
public struct HashEvict: TokenScorer {
    /// Bits of a vector, 64 at most; and first and last rows that stay.
    public var bits: Int, sinks: Int, recent: Int

    /// The paper's 16 bits.
    public init(bits: Int = 16, sinks: Int = 4, recent: Int = 10) {
        precondition((1...64).contains(bits), "A hash has 1 to 64 bits.")
        (self.bits, self.sinks, self.recent) = (bits, sinks, recent)
    }

    /// No attention weights.
    public var needs: AttentionNeed { .none }
    /// The last token's.
    public var needsQueries: Bool { true }

    /// Bits in which a key is like the last queries, of all query heads; infinity for the first and the
    /// last rows.
    ///
    /// - Complexity: O(rows·dimension·bits).
    public func scores(_ rows: KVRows) -> [Float] {
        let directions = directions(rows.dimension)
        let queries = rows.queries.compactMap(\.last).map { hash($0, directions) }
        return (0..<rows.count).map { row in
            guard row >= sinks, row + recent < rows.count else { return .infinity }
            let key = hash(rows.key(row), directions)
            return Float(queries.reduce(0) { $0 + bits - ($1 ^ key).nonzeroBitCount })
        }
    }

    /// A vector's bits.
    func hash(_ vector: [Float], _ directions: [[Float]]) -> UInt64 {
        directions.reduce(0) { bits, direction in
            bits << 1 | (zip(vector, direction).reduce(0) { $0 + $1.0 * $1.1 } >= 0 ? 1 : 0)
        }
    }

    /// The same for all heads: about normal, so that no direction is preferred.
    func directions(_ dimension: Int) -> [[Float]] {
        var random = SplitMix64(seed: 79)
        return (0..<bits).map { _ in
            (0..<dimension).map { _ in (0..<12).reduce(Float(-6)) { sum, _ in sum + Float(random.unit()) } }
        }
    }
}
