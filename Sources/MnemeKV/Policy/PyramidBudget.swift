/// Gives early layers more than late ones, in a straight line (PyramidKV, Cai et al. 2024): deep layers attend to fewer
/// places.
public struct PyramidBudget: BudgetAllocator {
    /// The last layer's part of the budget; the first has as much more than the budget as this one has less.
    public var last: Double
    /// The least rows of a head.
    public var least: Int

    /// By default a fifth of the budget for the last layer, and 32 rows at least.
    public init(last: Double = 0.2, least: Int = 32) { (self.last, self.least) = (last, least) }

    /// The same for all heads of a layer.
    public func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] {
        lengths.enumerated().map { layer, heads in
            let depth = lengths.count > 1 ? Double(layer) / Double(lengths.count - 1) : 0.5
            let rows = Int((Double(budget) * (2 - last + (2 * last - 2) * depth)).rounded())
            return heads.map { _ in max(min(least, budget), rows) }
        }
    }
}
