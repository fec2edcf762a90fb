/// Splits a budget over the heads: by their lengths alone, or by what it measures of each, whose
/// attention is known by then (``HeadAllocator``).
public protocol BudgetAllocator: QueryReader {
    /// - Parameters:
    ///   - budget: rows that a head keeps on average.
    ///   - lengths: rows that each head has now, by layers.
    /// - Returns: the most that each may keep, in the same order.
    func split(_ budget: Int, lengths: [[Int]]) -> [[Int]]
}

/// Splits a budget by what the heads' attention, keys and values are like.
public protocol HeadAllocator: BudgetAllocator {
    /// True if more than the budget in all is cut down to it. True if left out.
    var isBounded: Bool { get }
    /// What the split goes by of a head; numbers of any meaning, as many for each.
    ///
    /// - Complexity: should be O(rows·dimension) at most: it is called for each head, before any is
    ///   scored.
    func measure(_ rows: KVRows) -> [Float]

    /// - Parameters:
    ///   - budget: rows that a head keeps on average.
    ///   - heads: of each head that rows are chosen of, by layers; layers with windows are empty.
    /// - Returns: the most that each may keep, in the same order. More than the budget in all is cut
    ///   down in proportion, if that is ``isBounded``.
    func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]]
}

/// What a ``HeadAllocator`` knows of a head.
public struct HeadMeasure: Sendable {
    /// Its rows.
    public var length: Int
    /// What was measured.
    public var values: [Float]

    /// A head with so many rows.
    public init(length: Int, values: [Float]) {
        self.length = length
        self.values = values
    }
}

extension HeadAllocator {
    /// It is.
    public var isBounded: Bool { true }
    /// The same for all: where there is nothing to measure.
    public func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] {
        UniformBudget().split(budget, lengths: lengths)
    }

    /// A budget in proportion to weights, none with more than it has rows: what is left over goes to
    /// the others.
    ///
    /// - Parameters:
    ///   - budget: rows that a head keeps on average.
    ///   - weights: not negative; all 0 gives all the same.
    ///   - lengths: of the heads, in the same order.
    ///   - least: what each gets at least, as far as the budget goes.
    static func shares(_ budget: Int, weights: [Float], lengths: [Int], least: Int) -> [Int] {
        let least = min(least, budget)
        var result = lengths.map { min($0, least) }
        var open = lengths.indices.filter { result[$0] < lengths[$0] }
        var left = budget * lengths.count - result.reduce(0, +)
        while left > 0, !open.isEmpty {
            let total = open.reduce(Float(0)) { $0 + weights[$1] }
            let each = open.map {
                Int(Float(left) * (total > 0 ? weights[$0] / total : 1 / Float(open.count)))
            }
            var given = 0
            for (i, share) in zip(open, each) {
                let more = min(share, lengths[i] - result[i])
                result[i] += more
                given += more
            }
            guard given > 0 else { break }
            left -= given
            open = open.filter { result[$0] < lengths[$0] }
        }
        return result
    }
}

/// The same budget for all heads of all layers.
public struct UniformBudget: BudgetAllocator {
    /// A policy part without settings.
    public init() {}
    /// The whole budget for each head.
    public func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] {
        lengths.map { $0.map { _ in budget } }
    }
}

/// All rows of all heads, whatever the budget.
struct WholeBudget: BudgetAllocator {
    /// Their lengths.
    func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] { lengths }
}
