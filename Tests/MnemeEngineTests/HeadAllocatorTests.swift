import Foundation
import MnemeKV
import Testing

/// Policies that split the budget by what heads' rows are like, on rows made by hand.
@Suite struct HeadAllocatorTests {
    private static let d = 16

    /// A row with one element.
    private static func unit(_ element: Int, _ length: Float = 1) -> [Float] {
        (0..<d).map { $0 == element ? length : 0 }
    }

    /// Rows whose keys and values play no part.
    private func rows(_ attention: [Float], squares: [Float] = [], observations: Int = 0, budget: Int = 4)
        -> SampleRows
    {
        let same = [[Float]](repeating: Self.unit(0), count: attention.count)
        return SampleRows(
            keys: same, values: same, attention: attention, squares: squares,
            observations: observations, budget: budget)
    }

    @Test func `CAKE gives layers with spread and shifting attention more, and keeps rows that change`() {
        let cake = CAKE(window: 2, pool: 1)
        // Ten observations each. Two rows of the same mean: one has it always, one in two bursts.
        let steady: Float = 0.1
        let mean = [Float](repeating: 10 * steady, count: 8)
        var squares = mean.map { _ in 10 * steady * steady }
        squares[3] = 2 * 0.5 * 0.5
        let scores = rows(mean, squares: squares, observations: 10).scores(cake)
        #expect(scores[3] > scores[2] * 10 && abs(scores[2] - steady) < 1e-6)
        #expect(scores.suffix(2).allSatisfy { $0 == .infinity })
        func layer(_ attention: [Float], _ squares: [Float]) -> [HeadMeasure] {
            [rows(attention, squares: squares, observations: 10).measure(cake)]
        }
        let shifting = layer(mean, mean.map { _ in 2 * 0.5 * 0.5 })
        let quiet = layer(mean, mean.map { _ in 10 * steady * steady + 0.01 })
        let pointed = layer([5.9, 0.02, 0.02, 0.02, 0.02, 0.02, 1, 1], mean.map { _ in 2 * 0.5 * 0.5 })
        #expect(abs(shifting[0].values[0] - log(6)) < 1e-5, "even attention over six rows")
        let split = cake.split(4, heads: [shifting, quiet, pointed, []])
        #expect(split[0][0] > split[1][0] && split[0][0] > split[2][0] && split[3].isEmpty)
        #expect(split.joined().reduce(0, +) <= 12 && split.joined().allSatisfy { $0 >= 2 })
    }

    @Test func `D2O gives dense layers more, and merges what is like enough`() {
        let d2o = D2O(recent: 0.5)
        let dense = rows([1, 1, 1, 1, 1, 1, 1, 1]).measure(d2o)
        let pointed = rows([8, 0, 0, 0, 0, 0, 0, 0]).measure(d2o)
        #expect(dense.values == [0] && pointed.values[0] > 0.8)
        let split = d2o.split(4, heads: [[dense], [pointed]])
        #expect(split[0][0] > split[1][0] && split[0][0] + split[1][0] <= 8)
        #expect(rows([3, 1, 2, 1, 1, 1], budget: 4).scores(d2o) == [3, 1, 2, 1, .infinity, .infinity])
        // Row 1 is like row 0, row 2 is like nothing that is kept.
        let near = zip(Self.unit(0), Self.unit(1, 0.5)).map { $0 + $1 }
        let sample = SampleRows(
            keys: [Self.unit(0), near, Self.unit(5), Self.unit(3)],
            values: [Self.unit(0), Self.unit(1), Self.unit(2), Self.unit(3)])
        let changes = sample.dispose(d2o, lost: [1, 2], kept: [0, 3])
        #expect(changes.map(\.row) == [0])
        let cosine = 1 / Float(1.25).squareRoot()
        let weight = exp(cosine) / (exp(cosine) + exp(1))
        #expect(abs(changes[0].value[1] - weight) < 1e-4)
        #expect(abs(changes[0].value[0] - (1 - weight)) < 1e-4 && changes[0].value[2] == 0)
        #expect(abs(changes[0].key[1] - 0.5 * weight) < 1e-3)
    }

    @Test func `FastGen keeps the cheapest kind of rows that recovers the attention`() {
        let fastGen = FastGen(recovery: 0.9, special: 1, local: 0.25, frequent: 0.25)
        let special = rows([9.5] + [Float](repeating: 0.01, count: 15))
        let local = rows([1] + [Float](repeating: 0, count: 11) + [3, 3, 3, 3])
        // Two far rows that all look at, and some of the last.
        let frequent = rows([1, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 0, 1, 1, 1, 1])
        let all = rows([Float](repeating: 1, count: 16))
        let needed = [special, local, frequent, all].map { Int($0.measure(fastGen).values[0]) }
        #expect(needed[0] == 1 && needed[1] == 5 && needed[3] == 16)
        #expect(needed[2] >= 7 && needed[2] <= 9)
        // With a budget for what it needs, a head keeps just that.
        let scores = local.scores(fastGen)
        let kept = scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }.prefix(5)
        #expect(Set(kept) == [0, 12, 13, 14, 15])
        let heads = [[special.measure(fastGen), local.measure(fastGen)], [all.measure(fastGen)]]
        let split = fastGen.split(6, heads: heads)
        #expect(split[0][0] < split[0][1] && split[0][1] < split[1][0])
        let sum = split.joined().reduce(0, +)
        #expect(sum <= 18 && sum >= 16)
    }

    @Test func `FastGen tells special tokens and punctuation by what tokens are`() {
        var fastGen = FastGen(recovery: 0.9, special: 1, local: 0.25, frequent: 0.25)
        (fastGen.names, fastGen.punctuation) = ([100], [7])
        func needed(_ attention: [Float]) -> Int {
            let sample = rows(attention)
            sample.tokens = [1, 2, 100, 3, 7, 4, 5, 7, 6, 8, 9, 10, 7, 11, 12, 13]
            return Int(sample.measure(fastGen).values[0])
        }
        func paid(_ rows: Set<Int>) -> [Float] { (0..<16).map { rows.contains($0) ? 5 : 0.01 } }
        #expect(needed(paid([0, 2])) == 2 && needed(paid([2, 4, 7, 12])) == 5)
        // The last four rows, and what was there before; then the rest.
        #expect(needed(paid([4, 15])) == 8 && needed(paid([1, 15])) > 8)
        #expect(fastGen.needsTokens && !FastGen().needsTokens)
    }

    @Test(arguments: 1...4) func `SpAtten's dropped heads stay dropped, and the others get their rows`(seed: UInt64) {
        var random = RandomRows(seed)
        let layers = 6
        let measures = (0..<layers).map { _ in
            (0..<8).map { _ in HeadMeasure(length: 100, values: [abs(random.next())]) }
        }
        let split = SpAtten(heads: 0.5).split(20, heads: measures)
        var before: Set<Int> = []
        for layer in 0..<layers {
            let lost = Set((0..<8).filter { split[layer][$0] == 1 })
            #expect(lost.isSuperset(of: before) && lost.count == Int(0.5 * 8 * Double(layer) / 5))
            // Those that go have done the least so far of those that were left.
            let size = (0..<8).map { head in (0...layer).reduce(0) { $0 + measures[$1][head].values[0] } }
            let most = lost.subtracting(before).map { size[$0] }.max() ?? 0
            #expect(Set(0..<8).subtracting(lost).allSatisfy { size[$0] >= most })
            let all = Double(split[layer].reduce(0, +))
            #expect(abs(all - 8 * 20 * (1.5 - Double(layer) / 5)) <= 16)
            before = lost
        }
        // Outputs are sums of values, by attention.
        let values = [Self.unit(1, 3), Self.unit(1, -3), Self.unit(2, 2)]
        let sample = SampleRows(keys: values, values: values, attention: [1, 1, 2])
        #expect(sample.measure(SpAtten()).values == [4])
    }

    @Test func `Task-KV lets the heads furthest from the others keep all rows`() {
        let task = TaskKV(window: 2, sinks: 1, least: 4)
        func head(_ element: Int) -> HeadMeasure {
            let keys = [[Float]](repeating: Self.unit(0), count: 40)
            let values = [[Float]](repeating: Self.unit(element, 3), count: 40)
            return SampleRows(
                keys: keys, values: values, attention: [Float](repeating: 0.1, count: 40)
            ).measure(task)
        }
        let heads = [[head(1), head(1), head(1), head(2)], [head(4), head(4), head(4), head(4)]]
        #expect(abs(heads[0][3].values[2] - 1) < 1e-3)
        let distances = TaskKV.distances(heads)
        #expect(distances[0][3] > 2 * distances[0][0] && distances[1].allSatisfy { $0 < 1e-3 })
        let split = task.split(10, heads: heads)
        #expect(split[0][3] == 40)
        #expect(split.joined().reduce(0, +) <= 80 && split[1].allSatisfy { $0 < 10 })
        let scores = rows([5, 1, 2, 3, 1, 1]).scores(task)
        #expect(scores == [.infinity, 1, 2, 3, .infinity, .infinity])
    }

    @Test func `Compactor's leverage scores add up to the dimension, and rows of their own kind lead`() {
        var state: UInt64 = 7
        func noise() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / 8_388_608 - 1
        }
        // All keys lie in half of the space but one.
        var keys = (0..<200).map { _ in (0..<16).map { $0 < 8 ? noise() : 0.01 * noise() } }
        keys[50] = Self.unit(12, 1)
        let exact = Compactor.leverage(keys, sketch: 16, ridge: 0)
        #expect(abs(exact.reduce(0, +) - 16) < 0.05)
        #expect(exact.allSatisfy { $0 >= 0 && $0 <= 1.001 } && exact[50] > 0.95)
        // A sketch of fewer elements still finds it.
        let sketched = Compactor.leverage(keys, sketch: 12, ridge: 1e-4)
        #expect(sketched.indices.max { sketched[$0] < sketched[$1] } == 50)
        let sample = SampleRows(keys: keys, values: keys)
        let scores = sample.scores(Compactor(sketch: 16, recent: 10))
        #expect(scores.suffix(10).allSatisfy { $0 == .infinity })
        #expect(scores.prefix(190).indices.max { scores[$0] < scores[$1] } == 50)
        #expect(Compactor.leverage([], sketch: 4, ridge: 1).isEmpty)
    }
}
