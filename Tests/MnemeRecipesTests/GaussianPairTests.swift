import MnemeRecipes
import Testing

/// The mixture of two Gaussians against scikit-learn's, by `scripts/make_golden_mixture.py`.
@Suite struct GaussianPairTests {
    /// What scikit-learn found: components as weight, mean and variance.
    struct Golden: Sendable {
        var seed: UInt64, count: Int
        var low: (Double, Double), high: (Double, Double), share: Int
        var components: [[Double]], membership: Double, criteria: (Double, Double)
    }

    static let golden = [
        Golden(
            seed: 1, count: 200, low: (0.2, 0.05), high: (0.8, 0.08), share: 5,
            components: [
                [0.7999999983903548, 0.20284124458868422, 0.0021869822467891144],
                [0.2000000016096452, 0.8055162714617329, 0.00569126379106063],
            ], membership: 0.7305926946990655, criteria: (-392.6423708923918, 18.80097483091744)),
        Golden(
            seed: 2, count: 300, low: (0.3, 0.1), high: (0.5, 0.05), share: 3,
            components: [
                [0.6137273635831668, 0.2909058591435725, 0.009564359440549687],
                [0.3862726364168331, 0.4924408010677904, 0.0021495409327918777],
            ], membership: 0.7663115408522585, criteria: (-408.70970078160644, -371.6919661953774)),
        Golden(
            seed: 3, count: 200, low: (0.4, 0.1), high: (0.4, 0.1), share: 2,
            components: [
                [0.7962969203435701, 0.3922265847506588, 0.007337499020886968],
                [0.2037030796564299, 0.4711428664204691, 0.01345279472871749],
            ], membership: 0.18914556224780166, criteria: (-338.64371866602175, -351.1847811744976)),
    ]

    /// The script's numbers: sums of twelve uniform ones around one of two means.
    static func numbers(_ golden: Golden) -> [Double] {
        var state = golden.seed
        return (0..<golden.count).map { i in
            var total = 0.0
            for _ in 0..<12 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                total += Double(state >> 11) / 0x1p53
            }
            let (mean, width) = i % golden.share == 0 ? golden.high : golden.low
            return mean + width * (total - 6)
        }
    }

    @Test(arguments: golden.indices)
    func `components, membership and criteria are scikit-learn's`(_ place: Int) throws {
        let golden = Self.golden[place]
        let pair = try #require(GaussianPair(fitting: Self.numbers(golden)))
        func isNear(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-8 * max(1, abs(b)) }
        for (part, expected) in zip([pair.low, pair.high], golden.components) {
            for (value, wanted) in zip([part.weight, part.mean, part.variance], expected) {
                #expect(isNear(value, wanted), "\(value) for \(wanted)")
            }
        }
        #expect(isNear(pair.membership(0.45), golden.membership), "\(pair.membership(0.45))")
        #expect(isNear(pair.criteria.pair, golden.criteria.0) && isNear(pair.criteria.single, golden.criteria.1))
    }

    @Test func `some stand out of two heaps, and none of one`() throws {
        let found = try Self.golden.map { try #require(GaussianPair(fitting: Self.numbers($0))).standsOut }
        #expect(found == [true, true, false])
    }

    @Test func `numbers that cannot be told apart are one heap`() throws {
        let pair = try #require(GaussianPair(fitting: [0.5, 0.5, 0.5, 0.5]))
        #expect(!pair.standsOut && abs(pair.membership(0.5) - 0.5) < 1e-12)
        #expect(GaussianPair(fitting: [1, 2]) == nil && GaussianPair(fitting: [1, .nan, 3, 4]) == nil)
        // One that is far from many equal ones.
        let lone = try #require(GaussianPair(fitting: [Double](repeating: 0.1, count: 30) + [0.9]))
        #expect(lone.standsOut && lone.membership(0.9) > 0.99 && lone.membership(0.1) < 0.01)
    }
}
