/// Counts of values by upper bounds, as Prometheus has histograms: a bucket counts all values of
/// at most its bound.
public struct Histogram: Sendable, Equatable {
    /// Upper bounds of the buckets, rising; all values count in one more without bound.
    public let bounds: [Double]
    /// Values of at most each bound.
    public private(set) var counts: [Int]
    /// All values together, and how many there were.
    public private(set) var sum = 0.0, count = 0

    /// An empty histogram.
    public init(bounds: [Double]) {
        self.bounds = bounds
        counts = [Int](repeating: 0, count: bounds.count)
    }

    /// The mean of all values; 0 without any.
    public var mean: Double { sum / Double(max(1, count)) }

    /// Counts a value.
    public mutating func record(_ value: Double) {
        for (i, bound) in bounds.enumerated() where value <= bound { counts[i] += 1 }
        sum += value
        count += 1
    }
}
