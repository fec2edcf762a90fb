import Foundation

/// Two Gaussians over numbers, fitted by expectation and maximisation (Dempster, Laird and Rubin 1977): those that stand
/// out, and the rest.
///
/// Deterministic: it starts from the quartiles as means, the variance of all, and equal weights. Variances have a floor
/// of 1e-6, as scikit-learn's `GaussianMixture` has, from which the tests' golden values are.
package struct GaussianPair: Sendable, Equatable {
    /// One of the two.
    package struct Component: Sendable, Equatable {
        /// Its share of the numbers.
        package let weight: Double
        package let mean, variance: Double

        /// What the logarithm of weight times density is at the mean.
        private let peak: Double

        init(weight: Double, mean: Double, variance: Double) {
            (self.weight, self.mean, self.variance) = (weight, mean, variance)
            peak = log(weight) - 0.5 * log(2 * .pi * variance)
        }

        /// The logarithm of weight times density.
        func logDensity(_ value: Double) -> Double { peak - 0.5 * (value - mean) * (value - mean) / variance }
    }

    /// That of the lower mean, and that of the higher.
    package private(set) var low, high: Component
    /// The mean logarithm of the numbers' density in the mixture.
    package private(set) var logLikelihood: Double
    /// The same by one Gaussian.
    private let single: Double
    private let count: Int

    /// Added to each variance.
    private static let floor = 1e-6

    /// Fits two Gaussians.
    ///
    /// - Parameters:
    ///   - values: at least three.
    ///   - steps: rounds at most.
    ///   - tolerance: gain of the mean log-likelihood below which it ends.
    /// - Returns: nil for fewer than three numbers, or such as are none.
    /// - Complexity: O(values · steps).
    package init?(fitting values: [Double], steps: Int = 200, tolerance: Double = 1e-6) {
        guard values.count > 2, values.allSatisfy(\.isFinite) else { return nil }
        let sorted = values.sorted()
        let variance = Self.moments(values, weights: nil).variance
        count = values.count
        single = -0.5 * (log(2 * .pi * (variance + Self.floor)) + variance / (variance + Self.floor))
        let start = variance + Self.floor
        var ends = (sorted[values.count / 4], sorted[values.count * 3 / 4])
        // Quartiles that are one number cannot be told apart: the ends can.
        if ends.0 == ends.1 { ends = (sorted[0], sorted[values.count - 1]) }
        low = Component(weight: 0.5, mean: ends.0, variance: start)
        high = Component(weight: 0.5, mean: ends.1, variance: start)
        logLikelihood = single
        guard ends.0 < ends.1 else { return }
        logLikelihood = -.infinity
        for _ in 0..<steps {
            let before = logLikelihood
            var shares = [Double](repeating: 0, count: values.count)
            var sum = 0.0
            for (i, value) in values.enumerated() {
                let top = high.logDensity(value)
                let all = Self.logSum(low.logDensity(value), top)
                shares[i] = exp(top - all)
                sum += all
            }
            logLikelihood = sum / Double(values.count)
            high = Self.component(values, shares)
            low = Self.component(values, shares.map { 1 - $0 })
            if abs(logLikelihood - before) < tolerance { break }
        }
        logLikelihood = values.reduce(0) { $0 + Self.logSum(low.logDensity($1), high.logDensity($1)) } / Double(count)
        if low.mean > high.mean { (low, high) = (high, low) }
    }

    /// The probability that a number is of the higher Gaussian.
    package func membership(_ value: Double) -> Double {
        let top = high.logDensity(value)
        return exp(top - Self.logSum(low.logDensity(value), top))
    }

    /// The Bayesian information criteria of two Gaussians (five parameters) and of one (two); lower is better.
    package var criteria: (pair: Double, single: Double) {
        let n = Double(count)
        return (5 * log(n) - 2 * n * logLikelihood, 2 * log(n) - 2 * n * single)
    }

    /// True if two Gaussians explain the numbers better than one, and the higher holds fewer than half of them.
    package var standsOut: Bool { criteria.pair < criteria.single && high.weight < 0.5 }

    private static func component(_ values: [Double], _ shares: [Double]) -> Component {
        let (mean, variance) = moments(values, weights: shares)
        let weight = shares.reduce(0, +) / Double(values.count)
        // A weight of nothing has no logarithm.
        return Component(weight: max(weight, 1e-300), mean: mean, variance: variance + floor)
    }

    private static func moments(_ values: [Double], weights: [Double]?) -> (mean: Double, variance: Double) {
        let weights = weights ?? [Double](repeating: 1, count: values.count)
        // As scikit-learn: a Gaussian of nothing does not divide by zero.
        let total = weights.reduce(0, +) + 10 * .ulpOfOne
        let mean = zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } / total
        return (mean, zip(values, weights).reduce(0) { $0 + $1.1 * ($1.0 - mean) * ($1.0 - mean) } / total)
    }

    private static func logSum(_ a: Double, _ b: Double) -> Double {
        let most = max(a, b)
        return most + log(exp(a - most) + exp(b - most))
    }
}
