import Foundation
import MnemeKV
import MnemeModels
import Testing

/// Codes of a policy's own on random pages: what they must keep, they keep.
@Suite struct CodedPolicyTests {
    private static let rope = RotaryEmbedding(dimensions: 32, base: 10_000, interleaved: false)

    private func page(_ keys: [[Float]], _ values: [[Float]], from first: Int32 = 32) -> KVCodedPage {
        KVCodedPage(positions: (0..<32).map { first + $0 }, keys: keys, values: values)
    }

    /// A page as its codes say, and their bytes.
    private func coded(
        _ coder: some KVCoder, _ page: KVCodedPage, fittedTo keys: [[Float]] = []
    ) -> (page: KVCodedPage, bytes: Int) {
        let rows = SampleRows(keys: keys.isEmpty ? page.keys : keys, values: keys.isEmpty ? page.values : keys)
        var page = page
        let bytes = withExtendedLifetime(rows) { coder.encoder(rows.view).code(&page) { [] } }
        return (page, bytes)
    }

    /// The squared length of what changed.
    private func error(_ a: [[Float]], _ b: [[Float]]) -> Float {
        zip(a.joined(), b.joined()).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }

    @Test(arguments: 1...4) func `of one bit, quantiles lose less than ends, and outliers hurt only these`(seed: UInt64)
    {
        var random = RandomRows(seed)
        let exact = page(random.vectors(32), random.vectors(32))
        let (quantiles, ends) = (coded(OneBit(), exact), coded(OneBit(quantiles: false), exact))
        #expect(quantiles.bytes == ends.bytes && quantiles.bytes == 64 * 8, "a byte for four elements")
        #expect(quantiles.page.positions == exact.positions)
        for (e, group) in (0..<32).map({ e in (e, quantiles.page.keys.map { $0[e] }) }) {
            let before = exact.keys.map { $0[e] }
            let levels = Set(group).sorted()
            #expect(levels.count == 2)
            // The lower half is below the upper, and each has as many.
            #expect(group.count { $0 == levels[0] } == 16)
            let split = zip(before, group)
            func those(_ level: Float) -> [Float] { split.filter { $0.1 == level }.map(\.0) }
            #expect(those(levels[0]).max()! <= those(levels[1]).min()!)
        }
        #expect(error(quantiles.page.keys, exact.keys) < 0.6 * error(ends.page.keys, exact.keys))
        // One element far away takes the ends with it, and hardly moves a half's mean.
        var far = exact
        far.values[3][5] = 40
        let (calm, torn) = (coded(OneBit(), far).page.values[3], coded(OneBit(quantiles: false), far).page.values[3])
        let others = (0..<32).filter { $0 != 5 }
        func rest(_ row: [Float]) -> Float { others.reduce(0) { $0 + pow(row[$1] - far.values[3][$1], 2) } }
        #expect(rest(calm) < rest(torn))
    }

    @Test(arguments: 1...4) func `blocks share an exponent, and outliers that share a block leave others fine`(
        seed: UInt64
    ) {
        var random = RandomRows(seed)
        let loud = random.some(8, of: 0..<32)
        func keys(_ count: Int) -> [[Float]] {
            random.vectors(count).map { key in key.indices.map { key[$0] * (loud.contains($0) ? 30 : 1) } }
        }
        let order = BlockFloat.order(keys(200))
        #expect(order.sorted() == Array(0..<32) && Set(order.prefix(8)) == Set(loud))
        let exact = page(keys(32), random.vectors(32))
        let plain = coded(BlockFloat(bits: 4, block: 8), exact)
        let ordered = coded(BlockFloat(bits: 4, block: 8, orders: [[order]]), exact)
        #expect(plain.bytes == ordered.bytes && plain.bytes == 64 * 4 * (4 + 1))
        #expect(plain.page.values == ordered.page.values)
        func quiet(_ page: KVCodedPage) -> Float {
            let rows = zip(page.keys, exact.keys)
            return rows.reduce(0) { sum, row in
                sum + (0..<32).reduce(0) { loud.contains($1) ? $0 : $0 + pow(row.0[$1] - row.1[$1], 2) }
            }
        }
        #expect(quiet(ordered.page) < 0.1 * quiet(plain.page))
        // Of a block, all are whole multiples of one power of two, at most 7 of them, and none is off by more than half.
        for (row, key) in ordered.page.keys.enumerated() {
            for start in stride(from: 0, to: 32, by: 8) {
                let places = order[start..<start + 8]
                let most = places.map { abs(exact.keys[row][$0]) }.max()!
                let step = exp2(ceil(log2(most / 7)))
                for e in places {
                    #expect((key[e] / step).rounded() == key[e] / step && abs(key[e]) <= 7 * step)
                    #expect(abs(key[e] - exact.keys[row][e]) <= step / 2)
                }
            }
        }
        #expect(coded(BlockFloat(bits: 4, block: 8), plain.page).page == plain.page, "coding twice changes nothing")
    }

    @Test(arguments: 1...3) func `keys with wide elements are coded worse by tokens than by elements`(seed: UInt64) {
        var random = RandomRows(seed)
        // KIVI's finding: some elements are large in all rows.
        let keys = random.vectors(32).map { key in key.indices.map { key[$0] + ($0 % 8 == 0 ? 12 : 0) } }
        let exact = page(keys, random.vectors(32))
        let tokens = coded(TokenKeys(), exact)
        let elements = coded(TokenKeys(), page(keys.transposed, exact.values))
        #expect(tokens.bytes == elements.bytes && tokens.bytes == 64 * (8 + 4) + 8 * 8)
        #expect(error(elements.page.keys, keys.transposed) < 0.2 * error(tokens.page.keys, keys))
    }

    @Test func `halves become the floats that they stand for`() {
        for half in UInt16.min...UInt16.max where Float16(bitPattern: half).isFinite {
            let expected = Float(Float16(bitPattern: half))
            guard Float(half: half).bitPattern != expected.bitPattern else { continue }
            Issue.record("\(half): \(Float(half: half)) instead of \(expected)")
            return
        }
    }

    @Test(arguments: 1...3) func `least squares find what targets are made of`(seed: UInt64) {
        var random = RandomRows(seed, dimension: 12)
        let weights = random.vectors(3)
        let features = random.vectors(300)
        func target(_ x: [Float]) -> [Float] { weights.enumerated().map { RandomRows.dot($1, x) + Float($0) } }
        let fit = LinearFit(features, features.map(target), ridge: 1e-6)
        for x in random.vectors(20) {
            for (a, b) in zip(fit(x), target(x)) { #expect(abs(a - b) < 1e-2) }
        }
        for (found, made) in zip(fit.weights, weights) {
            #expect(zip(found, made).allSatisfy { abs($0 - $1) < 1e-3 })
        }
        // With few rows, the penalty keeps weights small.
        let few = LinearFit(Array(features.prefix(4)), features.prefix(4).map(target), ridge: 1)
        #expect(few.weights.allSatisfy { $0.allSatisfy { $0.isFinite } })
    }

    @Test(arguments: 1...3) func `keys that lie in a few directions come back, wherever they stand`(seed: UInt64) {
        var random = RandomRows(seed)
        let directions = random.vectors(6)
        let plain = (0..<96).map { _ in
            directions.reduce([Float](repeating: 0, count: 32)) { sum, x in
                let share = random.next()
                return zip(sum, x).map { $0 + share * $1 }
            }
        }
        let keys = plain.enumerated().map { Self.rope.rotated($1, by: $0) }
        let exact = page(Array(keys[32..<64]), random.vectors(32))
        let enough = coded(LowRankKeys(rope: Self.rope, share: 0.25), exact, fittedTo: keys)
        let few = coded(LowRankKeys(rope: Self.rope, share: 0.125), exact, fittedTo: keys)
        let length = error(exact.keys, exact.keys.map { $0.map { _ in 0 } })
        #expect(error(enough.page.keys, exact.keys) < 1e-4 * length)
        #expect(error(few.page.keys, exact.keys) > 1e-2 * length && few.bytes < enough.bytes)
        #expect(enough.page.values == exact.values && enough.bytes == 2 * 32 * (8 + 32))
    }
}

/// Splits of budgets, and rules behind the prompt.
@Suite struct BudgetShapeTests {
    @Test func `a pyramid has the budget on average, and early layers more`() {
        let split = PyramidBudget(last: 0.2, least: 8).split(100, lengths: (0..<9).map { _ in [500, 500] })
        #expect(split.first == [180, 180] && split.last == [20, 20])
        #expect(zip(split, split.dropFirst()).allSatisfy { $0[0] > $1[0] })
        #expect(abs(split.joined().reduce(0, +) - 1800) <= 18)
        #expect(PyramidBudget().split(10, lengths: [[90]]) == [[10]])
    }

    @Test func `layers whose output suffers most get more rows`() {
        var random = RandomRows(3, dimension: 16)
        let compress = CompressKV(strengths: [[1], [1]], window: 4, pool: 1)
        let values = random.vectors(64)
        /// Attention on four rows that the budget holds, or on all alike.
        func measure(_ attention: [Float]) -> HeadMeasure {
            SampleRows(keys: values, values: values, attention: attention, budget: 16).measure(compress)
        }
        let pointed = measure((0..<64).map { $0 < 4 ? 1 : 0 })
        let spread = measure([Float](repeating: 1, count: 64))
        #expect(pointed.values[0] < 1e-3 && spread.values[0] > 0.3)
        let split = compress.split(16, heads: [[pointed, pointed], [spread, spread], []])
        #expect(split[0][0] < split[1][0] && split[0][0] >= 8 && split[2].isEmpty)
        #expect(split.joined().reduce(0, +) <= 4 * 16)
    }

    @Test func `a task that looks in one place gets a pyramid, one that gathers gets the same everywhere`() {
        let policy = WindowKV(run: 2, group: 1, window: 2)
        func measure(_ attention: [Float]) -> HeadMeasure {
            let keys = [[Float]](repeating: [Float](repeating: 1, count: 16), count: attention.count)
            return SampleRows(keys: keys, values: keys, attention: attention).measure(policy)
        }
        let one = measure((0..<82).map { $0 == 20 ? 9 : 0.01 })
        let many = measure([Float](repeating: 1, count: 82))
        #expect(one.values[0] > 0.9 && many.values[0] < 0.1)
        let layers = 5
        let looking = policy.split(40, heads: (0..<layers).map { _ in [one] })
        #expect(looking.first![0] > looking.last![0])
        #expect(policy.split(40, heads: (0..<layers).map { _ in [many] }) == (0..<layers).map { _ in [40] })
    }

    @Test(arguments: 1...3) func `the safe ratio follows from the text, not from the budget`(seed: UInt64) {
        var random = RandomRows(seed)
        // Few keys say something, all others are next to nothing.
        let planted = random.some(10, of: 0..<150)
        let keys = (0..<200).map { row in random.vector().map { planted.contains(row) ? $0 : 0.001 * $0 } }
        let scorer = Compactor(recent: 8)
        let rich = random.vectors(200)
        func kept(_ keys: [[Float]]) -> Int {
            Int(SampleRows(keys: keys, values: keys, budget: 3).measure(SafeRatio(scorer: scorer)).values[0])
        }
        #expect(kept(keys) < 40 && kept(rich) > 120)
        let split = SafeRatio().split(3, heads: [[HeadMeasure(length: 50, values: [80])]])
        #expect(split == [[50]] && !SafeRatio().isBounded)
    }

    @Test(arguments: 1...3) func `the safe ratio goes by what queries would miss`(seed: UInt64) {
        var random = RandomRows(seed)
        let keys = random.vectors(200)
        let values = random.vectors(200)
        let scorer = Compactor(recent: 8)
        // The rows that queries look at are the ones that go last, or the ones that go first.
        let sample = SampleRows(keys: keys, values: values, budget: 3)
        let order = sample.scores(scorer).enumerated().sorted { ($0.element, $0.offset) > ($1.element, $1.offset) }
        func kept(_ looked: [Int]) -> Int {
            sample.queries = [looked.map { row in keys[row].map { 40 * $0 } }]
            return Int(sample.measure(SafeRatio(scorer: scorer)).values[0])
        }
        let sharp = kept(order[10..<14].map(\.offset))
        let late = kept(order[180..<184].map(\.offset))
        #expect(sharp < late && late > 170 && sharp < 100)
        // An oracle: attention over what is kept is near that over all.
        sample.queries = [order[60..<70].map { keys[$0.offset].map { 8 * $0 } }]
        let count = Int(sample.measure(SafeRatio(error: 0.2, scorer: scorer)).values[0])
        func outputs(_ rows: some Collection<Int>) -> [Float] {
            sample.queries[0].flatMap { query -> [Float] in
                let weights = rows.map { row in exp(RandomRows.dot(query, keys[row]) / Float(32).squareRoot()) }
                let total = weights.reduce(0, +)
                return (0..<32).map { e in zip(weights, rows).reduce(0) { $0 + $1.0 * values[$1.1][e] } / total }
            }
        }
        let whole = outputs(0..<200)
        func error(_ count: Int) -> Float {
            let part = outputs(order.prefix(count).map(\.offset))
            let wrong = zip(part, whole).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            return (wrong / whole.reduce(0) { $0 + $1 * $1 }).squareRoot()
        }
        #expect(error(count) < 0.21 && (count <= 8 || error(count - 7) > 0.19))
    }

    @Test func `Compactor keeps what attention goes to among keys that are alike`() {
        var random = RandomRows(5)
        let keys = random.vectors(100)
        var attention = [Float](repeating: 1, count: 100)
        attention[40] = 500
        let sample = SampleRows(keys: keys, values: keys, attention: attention)
        let scores = sample.scores(Compactor(recent: 8)).prefix(92)
        #expect(scores.indices.max { scores[$0] < scores[$1] } == 40)
        var alone = Compactor(recent: 8)
        alone.blend = 0
        let leverage = sample.scores(alone).prefix(92)
        #expect(alone.needs == .none && leverage.indices.max { leverage[$0] < leverage[$1] } != 40)
    }

    @Test func `behind the prompt the rows at a fixed distance from the end go`() {
        let keys = [[Float]](repeating: [Float](repeating: 1, count: 16), count: 12)
        let rows = SampleRows(keys: keys, values: keys, attention: (0..<12).map { Float(12 - $0) }, budget: 9)
        let cache = ElasticCache(recent: 4)
        #expect(RandomRows.best(rows.scores(cache), 9) == Set([0, 1, 2, 3, 4, 8, 9, 10, 11]))
        rows.isBehindPrompt = true
        #expect(RandomRows.best(rows.scores(cache), 9) == Set([0, 1, 2, 3, 4, 8, 9, 10, 11]))
        // Whatever was attended to: the newest rows but the last four.
        let other = SampleRows(keys: keys, values: keys, attention: (0..<12).map { Float($0) }, budget: 9)
        #expect(RandomRows.best(other.scores(cache), 9) == Set(3...11))
        other.isBehindPrompt = true
        #expect(RandomRows.best(other.scores(cache), 9) == Set([0, 1, 2, 3, 4, 8, 9, 10, 11]))
        #expect(other.dispose(cache, lost: [5, 6, 7], kept: [0, 1, 2, 3, 4, 8, 9, 10, 11]).isEmpty)
    }

    @Test func `of keys without attention the shortest stay`() {
        let keys = (0..<40).map { row in [Float](repeating: Float((row * 7) % 40 + 1), count: 16) }
        let scores = SampleRows(keys: keys, values: keys).scores(KeyNorm(recent: 4))
        let expected = Set((0..<36).sorted { keys[$0][0] < keys[$1][0] }.prefix(10))
        #expect(RandomRows.best(scores, 14) == expected.union(36..<40))
    }
}

/// A graph by queries, which lie elsewhere than keys.
@Suite struct QueryGraphTests {
    @Test(arguments: 1...3) func `keys that queries look for are found among few, once queries have linked them`(
        seed: UInt64
    ) {
        var random = RandomRows(seed)
        let topics = random.vectors(12)
        // A key is of two topics, a query of one.
        let keys = random.vectors(960).map { own in
            let (a, b) = (topics[random.below(12)], topics[random.below(12)])
            return own.indices.map { 0.5 * (a[$0] + b[$0]) + 0.7 * own[$0] }
        }
        func queries(_ count: Int) -> [[Float]] {
            random.vectors(count).map { own in
                let topic = topics[random.below(12)]
                return own.indices.map { 0.5 * topic[$0] + 0.2 * own[$0] }
            }
        }
        func measure(_ prompt: [[Float]], _ asked: [[Float]]) -> (recall: Double, met: Double) {
            var graph = QueryGraph(dimension: 32)
            graph.add(keys, queries: prompt)
            var (found, met) = (0, 0)
            for query in asked {
                let best = RandomRows.best(keys.map { RandomRows.dot($0, query) }, 40)
                let matches = graph.search(query, 40, effort: 80)
                found += best.intersection(matches.map(\.row)).count
                met += graph.met
                #expect(zip(matches, matches.dropFirst()).allSatisfy { $0.score >= $1.score })
            }
            return (Double(found) / Double(40 * asked.count), Double(met) / Double(keys.count * asked.count))
        }
        let (prompt, asked) = (queries(96), queries(20))
        let (aware, blind) = (measure(prompt, asked), measure([], asked))
        #expect(aware.recall > 0.85 && aware.met < 0.5, "\(aware)")
        #expect(blind.recall < 0.5 * aware.recall, "\(blind)")
        // The pages of what was found score highest.
        let index = RetrievalAttention(found: 40, effort: 80).index()
        var rows = KVPageRows(first: 0, keys: keys)
        rows.queries = prompt
        index.add(rows)
        var scores = [Float](repeating: .nan, count: 30)
        index.score(asked[0], at: 960, into: &scores)
        let row = keys.indices.max { RandomRows.dot(keys[$0], asked[0]) < RandomRows.dot(keys[$1], asked[0]) }!
        #expect(RandomRows.best(scores, 6).contains(row / 32) && (index.scanned ?? 1) < 0.6)
    }
}

/// What `mneme kv eval` counts of choices.
@Suite struct SelectionAuditTests {
    @Test func `pages are at hand that were read last, or fetched by a guess`() {
        let audit = KVSelectionAudit(heads: 2, every: 2)
        audit.note(0, [1, 2, 3, 4], scanned: 0.5) { [0, 4, 3, 0, 2, 1, 0] }
        audit.fetch(0, [9, 2])
        audit.note(0, [2, 3, 9, 7], scanned: 0.25) { nil }
        audit.note(1, [1, 2], scanned: nil) { nil }
        audit.note(1, [1, 2], scanned: nil) { nil }
        let readings = audit.readings
        // Three of four, then two of two.
        #expect(readings["hits"] == 5.0 / 6 && readings["stalls"] == 0.5)
        // Page 9 ahead, page 7 late.
        #expect(readings["fetched"] == 2.0 / 6 && readings["scanned"] == 0.375)
        // The best four are 1, 2, 4 and 5, of which three were read: of ten shares of attention nine.
        #expect(readings["recall"] == 0.75 && abs((readings["mass"] ?? 0) - 0.9) < 1e-6)
        #expect(KVSelectionAudit(heads: 1).readings.isEmpty)
    }
}
