import MnemeBase

/// A mean with the interval in which it lies with 95 % confidence.
public struct MeanInterval: Sendable, Codable, Equatable {
    /// The mean, and the interval's ends.
    public var mean: Double, low: Double, high: Double
    /// Values that it is of.
    public var count: Int

    /// The percentile bootstrap of a mean (Efron 1979): values are drawn with replacement, the mean taken
    /// each time, and the middle 95 % kept.
    ///
    /// Whole groups are drawn, as values of one history depend on each other; of one group alone its
    /// values are.
    ///
    /// - Parameters:
    ///   - groups: the values, by what they belong to.
    ///   - seed: the same seed draws the same.
    ///   - draws: times that values are drawn.
    /// - Complexity: O(draws × groups), O(draws × values) for one group.
    public init(_ groups: [[Double]], seed: UInt64 = 1, draws: Int = 1000) {
        let filled = groups.filter { !$0.isEmpty }
        let units =
            filled.count == 1
            ? filled[0].map { (sum: $0, count: 1) } : filled.map { (sum: $0.reduce(0, +), count: $0.count) }
        count = units.reduce(0) { $0 + $1.count }
        let total = units.reduce(0) { $0 + $1.sum }
        mean = count > 0 ? total / Double(count) : 0
        var random = SplitMix64(seed: seed)
        var means: [Double] = []
        for _ in 0..<(count > 0 ? draws : 0) {
            var sum = 0.0
            var number = 0
            for _ in units {
                let unit = units[Int(random.next() % UInt64(units.count))]
                sum += unit.sum
                number += unit.count
            }
            means.append(sum / Double(number))
        }
        means.sort()
        (low, high) = (means.percentile(2.5), means.percentile(97.5))
    }
}
