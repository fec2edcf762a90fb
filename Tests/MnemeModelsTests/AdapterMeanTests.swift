import MnemeBase
import MnemeModels
import Testing

@Suite struct AdapterMeanTests {
    private static func adapter(_ seed: UInt64, rank: Int, layers: [Int], scale: Float) -> Adapter {
        var generator = SplitMix64(seed: seed)
        func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float(generator.unit() - 0.5) } }
        var terms: [Adapter.Place: Adapter.Term] = [:]
        for layer in layers {
            terms[Adapter.Place(layer, .gate)] = Adapter.Term(
                rank: rank, scale: scale, a: numbers(rank * 6), b: numbers(4 * rank))
        }
        return Adapter(terms)
    }

    /// scale·B·A of a layer's term, 4 × 6; zeros if there is none.
    private static func product(_ adapter: Adapter, _ layer: Int) -> [Double] {
        var all = [Double](repeating: 0, count: 24)
        guard let term = adapter.terms[Adapter.Place(layer, .gate)] else { return all }
        for o in 0..<4 {
            for i in 0..<6 {
                for r in 0..<term.rank {
                    all[o * 6 + i] +=
                        Double(term.scale) * Double(term.b[o * term.rank + r]) * Double(term.a[r * 6 + i])
                }
            }
        }
        return all
    }

    private static func expectEqual(_ a: [Double], _ b: [Double]) {
        #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test func `a mean adds the weighted mean of what its parts add, also where some add nothing`() throws {
        let (a, b) = (
            Self.adapter(1, rank: 2, layers: [0, 1], scale: 2), Self.adapter(2, rank: 3, layers: [1], scale: 0.5)
        )
        let mean = try Adapter.mean(of: [(a, 3), (b, 1)])
        for layer in 0..<3 {
            let expected = zip(Self.product(a, layer), Self.product(b, layer)).map { 0.75 * $0 + 0.25 * $1 }
            Self.expectEqual(Self.product(mean, layer), expected)
        }
        #expect(mean.ranks == 2...5)
        #expect(mean.terms.count == 2)
    }

    @Test func `a mean of means is the mean of all`() throws {
        let parts = (0..<5).map { Self.adapter(UInt64($0), rank: $0 % 2 + 1, layers: [0], scale: 1) }
        let flat = try Adapter.mean(of: parts.map { ($0, 1) })
        let first = try Adapter.mean(of: parts[..<2].map { ($0, 1) })
        let second = try Adapter.mean(of: parts[2...].map { ($0, 1) })
        let tree = try Adapter.mean(of: [(first, 2), (second, 3)])
        Self.expectEqual(Self.product(tree, 0), Self.product(flat, 0))
        #expect(tree.parameters == flat.parameters)
    }

    @Test func `no parts, bad weights, other sizes and too high ranks are refused`() {
        let part = Self.adapter(1, rank: 2, layers: [0], scale: 1)
        var other = part
        other.terms[Adapter.Place(0, .gate)]?.b += [0, 0]
        let high = Self.adapter(1, rank: 600, layers: [0], scale: 1)
        let cases: [([(adapter: Adapter, weight: Double)], AdapterError.Code)] = [
            ([], .unsupported), ([(part, 0)], .unsupported), ([(part, .nan)], .unsupported),
            ([(part, 1), (part, .infinity)], .unsupported), ([(part, 1), (other, 1)], .wrongBase),
            ([(high, 1), (high, 1)], .unsupported),
        ]
        for (parts, code) in cases {
            let error = #expect(throws: AdapterError.self) { try Adapter.mean(of: parts) }
            #expect(error?.code == code)
        }
    }
}
