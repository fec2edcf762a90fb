import Foundation
import MnemeBase
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// Rows of one head, made by hand.
final class SampleRows {
    private var rows: KVRows
    /// Valid as long as this is.
    var view: KVRows { rows }
    private let keys: UnsafeMutablePointer<UInt16>, values: UnsafeMutablePointer<UInt16>
    var queries: [[[Float]]] {
        get { rows.queries }
        set { rows.queries = newValue }
    }
    var tokens: [Int32] {
        get { rows.tokens }
        set { rows.tokens = newValue }
    }
    var isBehindPrompt: Bool {
        get { rows.isBehindPrompt }
        set { rows.isBehindPrompt = newValue }
    }
    var recentAttention: [Float] {
        get { rows.recentAttention }
        set { rows.recentAttention = newValue }
    }

    func scores(_ scorer: some TokenScorer) -> [Float] {
        withExtendedLifetime(self) { scorer.scores(rows) }
    }
    func measure(_ allocator: some HeadAllocator) -> HeadMeasure {
        withExtendedLifetime(self) {
            HeadMeasure(length: rows.count, values: allocator.measure(rows))
        }
    }
    func dispose(_ disposer: some Disposer, lost: [Int], kept: [Int]) -> [KVChange] {
        withExtendedLifetime(self) { disposer.dispose(lost: lost, kept: kept, of: rows) }
    }

    init(
        keys: [[Float]], values: [[Float]], attention: [Float] = [], squares: [Float] = [],
        observations: Int = 0, budget: Int = 4,
        layer: Int = 0, head: Int = 0,
        mergeCount: (row: Int, count: Float) = (0, 1)
    ) {
        let d = keys[0].count
        let room = KVShape.blocks(keys.count) * KVShape.blockTokens * d
        (self.keys, self.values) = (.allocate(capacity: room), .allocate(capacity: room))
        for (row, (key, value)) in zip(keys, values).enumerated() {
            for i in 0..<d {
                self.keys[row / 32 * 32 * d + i * 32 + row % 32] = Float16(key[i]).bitPattern
                self.values[row * d + i] = Float16(value[i]).bitPattern
            }
        }
        rows = KVRows(
            layer: layer, head: head, dimension: d, budget: budget,
            positions: keys.indices.map { Int32($0) },
            attention: attention,
            mergeCounts: mergeCount.count > 1 ? [Float](repeating: 1, count: mergeCount.row) + [mergeCount.count] : [],
            keys: self.keys, values: self.values)
        rows.attentionSquares = squares
        rows.observations = observations
    }

    deinit {
        keys.deallocate()
        values.deallocate()
    }
}

@Suite struct PolicyPartTests {
    private static let zeros = [Float](repeating: 0, count: 14)

    private func sample(_ count: Int, attention: [Float] = [], budget: Int = 4) -> SampleRows {
        SampleRows(
            keys: (0..<count).map { [Float](repeating: Float($0 % 7 + 1), count: 16) },
            values: (0..<count).map { [Float](repeating: Float($0 / 32 + 1), count: 16) },
            attention: attention,
            budget: budget)
    }

    @Test func `positions decide for streams, attention for heavy hitters, windows for SnapKV`() {
        let streaming = sample(6).scores(StreamingLLM(sinks: 2))
        #expect(streaming == [.infinity, .infinity, 2, 3, 4, 5])
        let attention: [Float] = [9, 0.5, 3, 0.25, 1, 2]
        #expect(
            sample(6, attention: attention, budget: 4).scores(H2O()) == [
                9, 0.5, 3, 0.25, .infinity, .infinity,
            ])
        #expect(
            sample(6, attention: attention).scores(SnapKV(window: 2, pool: 3)) == [
                9, 9, 3, 3, .infinity, .infinity,
            ])
    }

    @Test func `pages go as a whole, and the one that is being filled stays`() {
        let scores = sample(80).scores(PagedEviction())
        #expect(
            Set(scores[0..<32]).count == 1 && Set(scores[32..<64]).count == 1
                && scores[0] != scores[32])
        #expect(scores[64...].allSatisfy { $0 == .infinity })
    }

    @Test func `a row's lot does not change while others go`() {
        let all = sample(50).scores(RandomEviction(seed: 3, recent: 2))
        let again = sample(40).scores(RandomEviction(seed: 3, recent: 2))
        #expect(
            Array(all.prefix(38)) == Array(again.prefix(38))
                && all.suffix(2).allSatisfy { $0 == .infinity }
                && Set(all.prefix(38)).count == 38)
    }

    @Test func `like neighbours are merged, others are lost`() {
        let a: [Float] = [1, 0] + Self.zeros
        let b: [Float] = [0, 1] + Self.zeros
        let nearA: [Float] = [1, 0.125] + Self.zeros
        let sample = SampleRows(keys: [a, nearA, b, b], values: [a, b, a, b])
        let changes = sample.dispose(KVMerger(threshold: 0.8), lost: [1, 2], kept: [0, 3])
        #expect(changes.map(\.row) == [0, 3])
        // One neighbour: its Gaussian weight is exp(−1/2) whatever the distance, or 1 where there
        // is none.
        let weight = Float(exp(-0.5))
        #expect(
            abs(changes[0].value[0] - 1 / (1 + weight)) < 1e-5
                && abs(changes[0].value[1] - weight / (1 + weight)) < 1e-5)
        #expect(changes[1].key == b && changes[1].value[0] == 0.5)
        #expect(
            SampleRows(keys: [a, a, b], values: [a, a, b]).dispose(
                KVMerger(threshold: 0.8), lost: [2], kept: [0, 1]
            )
            .isEmpty)
    }

    @Test func `what is lost becomes one row that stands for all, again and again`() {
        let keys = (0..<8).map { [Float](repeating: Float($0), count: 16) }
        let values = (0..<8).map { [Float](repeating: Float($0 * $0), count: 16) }
        let first = SampleRows(keys: keys, values: values).dispose(
            CompensationToken(), lost: [2, 3, 4], kept: [0, 1, 5, 6, 7])
        // The first behind the gap is part of it.
        #expect(
            first == [
                KVChange(
                    row: 5, key: [Float](repeating: 3.5, count: 16),
                    value: [Float](repeating: 13.5, count: 16), mergeCount: 4
                )
            ])
        // It is lost in its turn, and weighs what it stands for.
        let sample = SampleRows(keys: keys, values: values, mergeCount: (2, 4))
        let second = sample.dispose(CompensationToken(), lost: [2, 3], kept: [0, 1, 4, 5, 6, 7])
        #expect(
            second.map(\.row) == [4] && second[0].mergeCount == 6
                && second[0].key[3] == (2 * 4 + 3 + 4) / 6)
        // As long as it is kept it takes more; where there is none and the last go, the last that
        // stays takes them.
        #expect(
            sample.dispose(CompensationToken(), lost: [6, 7], kept: [0, 1, 2, 3, 4, 5]).map {
                [$0.row, Int($0.mergeCount)]
            }
                == [[2, 6]])
        let plain = SampleRows(keys: keys, values: values)
        #expect(
            plain.dispose(CompensationToken(), lost: [6, 7], kept: [0, 1, 2, 3, 4, 5]).map {
                [$0.row, Int($0.mergeCount)]
            }
                == [[5, 3]])
        #expect(sample.dispose(CompensationToken(), lost: [], kept: Array(0..<8)).isEmpty)
    }

    /// Heads of each layer with attention given by hand; of `count` rows each.
    private func joint(
        _ scorer: some JointScorer, _ attention: [[[Float]]], budget: Int
    ) -> [[[Float]]] {
        let samples = attention.map { heads in
            heads.map { sample($0.count, attention: $0, budget: budget) }
        }
        return withExtendedLifetime(samples) {
            scorer.scores(samples.map { $0.map(\.view) })
        }
    }

    @Test func `what an earlier layer lost, later ones lose, by the attention so far`() {
        let scorer = SpAtten(first: 1.5, recent: 1)
        #expect(scorer.split(4, lengths: [[9, 9], [9, 9], [9, 9]]) == [[6, 6], [4, 4], [2, 2]])
        let scores = joint(
            scorer,
            [
                [[1, 2, 3, 4, 5, 6, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]],
                [[9, 0, 9, 0, 0, 0, 9, 0], [0, 0, 0, 0, 1, 0, 0, 0]],
            ], budget: 4)
        // Layer 0 keeps six: of the last, and 6, 5, 4, 3, 2. Row 0 is lost, though 9 come later.
        #expect(scores[0][0] == [1, 2, 3, 4, 5, 6, 0, .infinity] && scores[0][1] == scores[0][0])
        #expect(scores[1][0] == [-1, 2, 12, 4, 6, 6, -1, .infinity])
        #expect(joint(scorer, [[], [[1, 2]]], budget: 1).map(\.count) == [0, 1])
    }

    @Test func `heads that look back choose for their layer`() {
        let scorer = CompressKV(strengths: [[0.1, 0.9, 0.2]], window: 1, pool: 1)
        let scores = joint(scorer, [[[9, 0, 0, 1], [0, 5, 1, 1], [0, 0, 8, 1]]], budget: 2)
        #expect(scores == [[[Float]](repeating: [0, 5, 1, .infinity], count: 3)])
    }

    @Test func `runs of rows are kept, the same in layers of a group`() {
        let scorer = WindowKV(run: 2, group: 2, window: 1)
        let one: [[Float]] = [[4, 0, 1, 1, 3, 0]]
        let two: [[Float]] = [[0, 0, 0, 0, 9, 0]]
        let scores = joint(scorer, [one, [], two, two], budget: 2)
        #expect(scores[0] == [[2, 2, 1, 1, 3, .infinity]] && scores[1].isEmpty)
        #expect(scores[2] == scores[0] && scores[3] == [[0, 0, 0, 0, 9, .infinity]])
    }

    @Test func `anchors take in what lies nearest`() {
        let cache = ElasticCache(recent: 1)
        let attention: [Float] = [5, 1, 1, 7, 1, 0]
        let rows = sample(6, attention: attention)
        #expect(rows.scores(cache) == [5, 1, 1, 7, 1, .infinity])
        let changes = rows.dispose(cache, lost: [1, 2, 4], kept: [0, 3, 5])
        // Keys are 1 to 6: row 1 goes to row 0, rows 2 and 4 to row 3, and the last takes none.
        #expect(changes.map(\.row) == [0, 3] && changes.map { $0.key[0] } == [1.5, 4])
        #expect(rows.dispose(cache, lost: [0], kept: [5]).isEmpty)
    }

    @Test func `heads that look back keep all as far as the budget reaches`() {
        let heads = RetrievalHeads(strengths: [[0.1, 0.9], [0.5, 0.2]], least: 10)
        #expect(heads.split(40, lengths: [[100, 100], [100, 100]]) == [[20, 100], [20, 20]])
        #expect(
            heads.split(100, lengths: [[100, 100], [100, 100]]) == [[100, 100], [100, 100]])
        #expect(heads.split(5, lengths: [[100, 100], [100, 100]]).joined().reduce(0, +) <= 20)
        let layers = LayerSensitivity(weights: [0.5, 1.5]).split(40, lengths: [[100], [100]])
        #expect(layers == [[20], [60]])
    }
}

@Suite(
    .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
    .serialized)
struct PolicyTests {
    private func text(_ count: Int) -> [Int32] {
        (0..<count).map { (i: Int) -> Int32 in Int32(1000 + (i * i * 13 + i * 51) % 40000) }
    }

    private func logits(_ cache: CompressedCache, _ tokens: [Int32], endsPrompt: Bool, size: Int)
        throws -> [Float]
    {
        var out = [Float](repeating: .nan, count: size)
        try out.withUnsafeMutableBufferPointer {
            try cache.feed(tokens, endsPrompt: endsPrompt, logits: $0.baseAddress!)
        }
        return out
    }

    @Test func `heads with rows of their own answer as a whole cache does`() throws {
        let decoder = try RealModel.loaded.get().decoder
        let c = decoder.configuration
        let tokens = text(150)
        let whole = Cache(c, positions: 200)
        _ = decoder.logits(Array(tokens.prefix(120)), at: 0, in: whole, rows: 1)
        let expected = decoder.logits(Array(tokens.suffix(30)), at: 120, in: whole, rows: 1)[0]
        let policy = try PolicyCatalog.policy("full", for: decoder, sample: [], budget: 1)
        let cache = try CompressedCache(decoder, policy, budget: 1, positions: 200)
        _ = try logits(cache, Array(tokens.prefix(120)), endsPrompt: true, size: c.vocabularySize)
        #expect(
            try logits(cache, Array(tokens.suffix(30)), endsPrompt: false, size: c.vocabularySize)
                == expected)
        #expect(cache.bytes == 150 * KVShape(c).tokenBytes && cache.rowsPerHead == 150)
    }

    @Test(
        arguments: PolicyCatalog.names.dropFirst().filter {
            !(PolicyCatalog.selectors + PolicyCatalog.codings).contains($0)
        })
    func `a policy keeps to its budget and answers`(name: String)
        throws
    {
        let decoder = try RealModel.loaded.get().decoder
        let c = decoder.configuration
        let tokens = text(300)
        let budget = 96
        let policy = try PolicyCatalog.policy(name, for: decoder, sample: PolicySample(tokens), budget: budget)
        let cache = try CompressedCache(decoder, policy, budget: budget, positions: 400)
        _ = try logits(cache, Array(tokens.prefix(260)), endsPrompt: true, size: c.vocabularySize)
        // Where rows go by whole pages, less than one of them is not used.
        let unused = policy.scorer.wholePages ? KVShape.blockTokens : 0
        #expect(
            cache.rowsPerHead <= Double(budget) && cache.rowsPerHead > Double(budget) * 0.9 - Double(unused))
        #expect(cache.bytes <= budget * KVShape(c).tokenBytes)
        for token in tokens.suffix(40) {
            let row = try logits(cache, [token], endsPrompt: false, size: c.vocabularySize)
            #expect(!row.contains { !$0.isFinite })
        }
        if case .every(let slack) = policy.trigger {
            #expect(
                cache.rowsPerHead <= Double(budget + slack)
                    && cache.peakBytes <= (budget + max(slack, 128)) * KVShape(c).tokenBytes)
        } else {
            #expect(cache.rowsPerHead <= Double(budget + 40))
        }
        for layer in 0..<c.layers {
            for head in 0..<c.kvHeads {
                let positions = cache.rows(layer, head).positions
                #expect(zip(positions, positions.dropFirst()).allSatisfy { $0 < $1 })
            }
        }
    }

    /// The first and last rows of a whole cache, put side by side by another way, give the same
    /// answer.
    @Test func `rows that move together answer as if they had been copied to their new positions`()
        throws
    {
        let decoder = try RealModel.loaded.get().decoder
        let c = decoder.configuration
        let tokens = text(121)
        let whole = Cache(c, positions: 128)
        let target = Cache(c, positions: 128)
        _ = decoder.logits(Array(tokens.prefix(120)), at: 0, in: whole, rows: 1)
        let rebase = KVRebase(c)
        rebase.copy(0..<4, of: whole.view, to: target.view, at: 0)
        rebase.copy(92..<120, of: whole.view, to: target.view, at: 4)
        let expected = decoder.logits([tokens[120]], at: 32, in: target, rows: 1)[0]
        for movesTogether in [true, false] {
            let policy = KVPolicy(
                "s", trigger: .promptEnd, scorer: StreamingLLM(), movesTogether: movesTogether)
            let cache = try CompressedCache(decoder, policy, budget: 32, positions: 128)
            _ = try logits(cache, Array(tokens.prefix(120)), endsPrompt: true, size: c.vocabularySize)
            let got = try logits(cache, [tokens[120]], endsPrompt: false, size: c.vocabularySize)
            let distance = zip(got, expected).map { abs($0 - $1) }.max()!
            if movesTogether {
                #expect(distance < 0.05, "\(distance)")
            } else {
                #expect(distance > 0.05)
            }
        }
    }

    @Test func `what cannot go together is said`() throws {
        let decoder = try RealModel.loaded.get().decoder
        #expect(throws: KVError.self) {
            try PolicyCatalog.policy("best", for: decoder, sample: [], budget: 1)
        }
        let policy = try PolicyCatalog.policy("window", for: decoder, sample: [], budget: 8)
        #expect(throws: KVError.self) {
            try CompressedCache(decoder, policy, budget: 8, positions: 64, codec: .int2)
        }
    }

    @Test func `heads that look back are found`() throws {
        let decoder = try RealModel.loaded.get().decoder
        let strengths = Array(try RetrievalHeads.strengths(decoder, tokens: 64).joined())
        // Most heads do not look back at all; some give a good part of their attention.
        #expect(
            strengths.allSatisfy { $0 >= 0 && $0 <= 1.001 } && strengths.max()! > 0.2
                && strengths.count { $0 < 0.05 } > strengths.count / 2)
    }

    @Test func `gates that are closed first change least of what is said of passkeys`() throws {
        let decoder = try RealModel.loaded.get().decoder
        let probe = try HeadGates(decoder, text: [], seed: 7)
        #expect(probe.loss(closed: []) == 0)
        let strengths = Array(HeadGates.strengths(decoder, [probe], share: 0.5).joined())
        #expect(strengths.max() == 1 && strengths.allSatisfy { $0 >= 0 && $0 <= 1 })
        // Of passkeys that they were not chosen by.
        let other = try HeadGates(decoder, text: [], seed: 8)
        let half = strengths.count / 2
        let order = strengths.indices.sorted { strengths[$0] < strengths[$1] }
        let least = other.loss(closed: Set(order.prefix(half)))
        var random = SplitMix64(seed: 9)
        let chance = (0..<4).map { _ in
            other.loss(closed: Set(strengths.indices.shuffled(using: &random).prefix(half)))
        }
        #expect(least < chance.reduce(0, +) / 4, "\(least) \(chance)")
        let strongest = other.loss(closed: Set(order.suffix(half)))
        #expect(least < strongest, "\(least) \(strongest)")
    }
}
