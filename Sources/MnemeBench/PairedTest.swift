import Foundation

/// Student's t-test of differences in pairs (Student 1908): whether two ways differ by more than chance would
/// have it, where each seed was run both ways.
public struct PairedTest: Sendable, Codable, Equatable {
    /// The mean difference.
    public let difference: Double
    /// The mean by its standard error; infinite where all differences are one number that is not 0.
    public let t: Double
    /// The probability of a t as far from 0, if there were no difference.
    public let p: Double

    /// - Parameter differences: one a pair; of less than two nothing is known, and p is 1.
    public init(_ differences: [Double]) {
        let n = Double(differences.count)
        let mean = differences.reduce(0, +) / max(1, n)
        difference = mean
        guard differences.count > 1 else {
            (t, p) = (0, 1)
            return
        }
        let variance = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
        guard variance > 0 else {
            (t, p) = mean == 0 ? (0, 1) : (mean > 0 ? .infinity : -.infinity, 0)
            return
        }
        let t = mean / (variance / n).squareRoot()
        let freedom = n - 1
        self.t = t
        p = Self.incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5)
    }

    /// The regularized incomplete beta function, by its continued fraction (Lentz's way).
    static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        guard x > 0, x < 1 else { return x <= 0 ? 0 : 1 }
        // The fraction converges fast on this side alone.
        if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
        let gammas: Double = logGamma(a + b) - logGamma(a) - logGamma(b)
        let powers: Double = a * log(x) + b * log(1 - x)
        let front: Double = exp(gammas + powers) / a
        var (c, d, f) = (1.0, 0.0, 1.0)
        for i in 0..<300 {
            let m = Double(i / 2)
            let place: Double = a + 2 * m
            var part = 1.0
            if i > 0, i % 2 == 0 {
                let above: Double = m * (b - m) * x
                part = above / ((place - 1) * place)
            } else if i > 0 {
                let above: Double = (a + m) * (a + b + m) * x
                part = -above / (place * (place + 1))
            }
            d = 1 / nonzero(1 + part * d)
            c = nonzero(1 + part / c)
            f *= c * d
            if abs(1 - c * d) < 1e-15 { break }
        }
        return front * (f - 1)
    }

    /// The logarithm of the gamma function above 0.5, by Lanczos' sum of nine terms.
    private static func logGamma(_ x: Double) -> Double {
        let terms = [
            676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
            -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
        ]
        guard x >= 0.5 else { return log(Double.pi / sin(Double.pi * x)) - logGamma(1 - x) }
        var sum = 0.99999999999980993
        for (i, term) in terms.enumerated() { sum += term / (x + Double(i)) }
        let t = x + 6.5
        return 0.5 * log(2 * Double.pi) + (x - 0.5) * log(t) - t + log(sum)
    }

    private static func nonzero(_ x: Double) -> Double { abs(x) < 1e-300 ? 1e-300 : x }
}
