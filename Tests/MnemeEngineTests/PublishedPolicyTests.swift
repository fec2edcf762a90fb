import Foundation
import MnemeBase
import MnemeKV
import MnemeModels
import Testing

/// Random rows that are the same on every machine, and what is planted among them.
struct RandomRows {
    private var random: SplitMix64
    let d: Int

    init(_ seed: UInt64, dimension: Int = 32) { (random, d) = (SplitMix64(seed: seed), dimension) }

    /// About normal, with a deviation of 1.
    mutating func next() -> Float { (0..<12).reduce(Float(-6)) { sum, _ in sum + Float(random.unit()) } }
    mutating func vector() -> [Float] { (0..<d).map { _ in next() } }
    mutating func vectors(_ count: Int) -> [[Float]] { (0..<count).map { _ in vector() } }
    mutating func below(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
    /// Some different numbers, ascending.
    mutating func some(_ count: Int, of range: Range<Int>) -> [Int] {
        Array(range.shuffled(using: &random).prefix(count)).sorted()
    }

    static func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    /// The rows of the highest scores.
    static func best(_ scores: [Float], _ count: Int) -> Set<Int> {
        Set(scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }.prefix(count))
    }
}

/// Mechanisms of policies on random rows: what must be kept is kept.
@Suite struct PublishedPolicyTests {
    @Test(arguments: 1...4) func `EpiCache's episodes are the topics of a conversation`(seed: UInt64) {
        var random = RandomRows(seed)
        // Tokens 100k..<100k + 50 lie around a direction of topic k.
        let topics = random.vectors(3)
        let noise = random.vectors(300)
        let embedding: @Sendable (Int32) -> [Float] = { token in
            zip(topics[Int(token) / 100], noise[Int(token)]).map { $0 + 0.3 * $1 }
        }
        let order = [0, 0, 1, 2, 1, 0, 2, 2, 1, 0]
        let parts = order.map { topic in (0..<12).map { _ in Int32(100 * topic + random.below(50)) } }
        let episodes = Episodes(parts, count: 3, embedding: embedding)
        #expect(episodes.medoids.count == 3)
        for (a, b) in zip(order.indices, order.indices.dropFirst()) {
            #expect((episodes.assignments[a] == episodes.assignments[b]) == (order[a] == order[b]))
        }
        for (topic, place) in [(0, 0), (1, 2), (2, 3)] {
            let question = (0..<5).map { _ in Int32(100 * topic + random.below(50)) }
            let nearest = episodes.nearest(to: question)
            #expect(nearest == episodes.assignments[place])
            #expect(nearest.map { Int(episodes.medoids[$0][0]) / 100 } == topic)
        }
        // No more episodes than there are parts, or than differ; none of no text.
        #expect(Episodes([parts[0], parts[0]], count: 4, embedding: embedding).medoids.count <= 2)
        #expect(Episodes([], count: 4, embedding: embedding).nearest(to: [1]) == nil)
    }

    @Test(arguments: 1...5) func `HashEvict keeps the keys that lie the queries' way`(seed: UInt64) {
        var random = RandomRows(seed)
        let queries = random.vectors(2)
        var keys = random.vectors(160)
        let planted = random.some(12, of: 4..<150)
        for (i, row) in planted.enumerated() {
            keys[row] = zip(keys[row], queries[i % 2]).map { 0.3 * $0 + 2 * $1 }
        }
        let sample = SampleRows(keys: keys, values: keys, budget: 40)
        // Two query heads of which the last token's query counts, not those before it.
        sample.queries = queries.map { query in [query.map { -$0 }, query] }
        let scores = sample.scores(HashEvict(bits: 64))
        #expect(Set(planted).isSubset(of: RandomRows.best(scores, 40)))
        #expect(scores.prefix(4).allSatisfy { $0 == .infinity } && scores.suffix(10).allSatisfy { $0 == .infinity })
        // Keys that point away have nothing in common with a query.
        let away = SampleRows(keys: [[Float]](repeating: queries[0].map { -$0 }, count: 20), values: keys)
        away.queries = [[queries[0]]]
        #expect(away.scores(HashEvict(bits: 16)).dropFirst(4).prefix(6).allSatisfy { $0 == 0 })
    }

    @Test(arguments: 1...5) func `ThinK drops the elements that queries do not meet, and scores stay`(seed: UInt64) {
        var random = RandomRows(seed)
        let unmet = random.some(12, of: 0..<32)
        var queries = random.vectors(16)
        for i in queries.indices { for e in unmet { queries[i][e] *= 0.01 } }
        let keys = random.vectors(80)
        let sample = SampleRows(keys: keys, values: keys)
        sample.queries = [queries]
        let think = ThinK(share: 0.4, recent: 8)
        let changes = sample.dispose(think, lost: Array(0..<20), kept: Array(20..<80))
        #expect(changes.map(\.row) == Array(20..<72))
        for change in changes {
            #expect(change.key.indices.filter { change.key[$0] == 0 } == unmet)
            #expect(change.value == keys[change.row].map { Float(Float16($0)) })
            for query in queries {
                #expect(abs(RandomRows.dot(change.key, query) - RandomRows.dot(keys[change.row], query)) < 0.4)
            }
        }
        #expect(abs(think.keyShare - 0.6) < 1e-9)
    }

    @Test(arguments: 1...5) func `EMS keeps what all attend to and what the last ones do, and merges what is like`(
        seed: UInt64
    ) {
        var random = RandomRows(seed)
        let count = 120
        let planted = random.some(12, of: 0..<80)
        let (global, local) = (Set(planted.prefix(6)), Set(planted.suffix(6)))
        // What each of the tokens behind a row gives it, on average: early rows were seen by more.
        let attention = (0..<count).map { Float(count - $0) * (global.contains($0) ? 5 : 1) }
        let recent = (0..<count).map { Float(local.contains($0) ? 5 : 1) }
        var keys = random.vectors(count)
        let target = planted[0]
        let twin = (0..<80).first { !planted.contains($0) } ?? 0
        keys[twin] = keys[target].map { 1.1 * $0 }
        let sample = SampleRows(keys: keys, values: keys, attention: attention, budget: 52)
        sample.recentAttention = recent
        let ems = EMS(window: 40, merged: 10, threshold: 0.8)
        let scores = sample.scores(ems)
        let kept = RandomRows.best(scores, 52)
        #expect(kept.isSuperset(of: planted) && kept.isSuperset(of: 80..<120))
        let lost = (0..<count).filter { !kept.contains($0) }
        let changes = sample.dispose(ems, lost: lost, kept: kept.sorted())
        // Of random keys, hardly two are alike: the rest joins nothing.
        #expect(changes.map(\.row).contains(target) && changes.count <= 2)
        let merged = changes.first { $0.row == target }?.key ?? []
        #expect(RandomRows.dot(merged, keys[target]) > RandomRows.dot(keys[target], keys[target]))
        #expect(sample.dispose(EMS(window: 40, merged: 0), lost: lost, kept: kept.sorted()).isEmpty)
    }

    @Test func `Scissorhands goes by the window, and keeps the last rows`() {
        let sample = SampleRows(
            keys: [[Float]](repeating: [Float](repeating: 1, count: 16), count: 6),
            values: [[Float]](repeating: [Float](repeating: 1, count: 16), count: 6),
            attention: [3, 0, 2, 1, 0, 0], budget: 4)
        #expect(sample.scores(Scissorhands(recent: 0.5)) == [3, 0, 2, 1, .infinity, .infinity])
        #expect(Scissorhands(window: 8).needs == .last(8))
    }
}

/// A token for each byte.
private struct Bytes: Tokenizer {
    let vocabularySize = 256
    let endTokens: Set<Int32> = []
    let beginToken: Int32? = nil
    let specialNames: [String] = []
    func encode(_ text: String, special: Bool, dropping: Unicode.Scalar?) -> [Int32] { text.utf8.map { Int32($0) } }
    func bytes(_ token: Int32) -> [UInt8] { [UInt8(token)] }
    func special(_ name: String) -> Int32? { nil }
    func name(_ token: Int32) -> String? { nil }
}

/// Policies that merge, or read what rows mean.
@Suite struct StreamPolicyTests {
    /// Attention of a query over rows, each for as many as it stands for.
    private func attention(
        _ rows: [(key: [Float], value: [Float], count: Float)], _ query: [Float]
    ) -> [Float] {
        let scores = rows.map { RandomRows.dot($0.key, query) }
        let most = scores.max() ?? 0
        let weights = zip(rows, scores).map { $0.count * exp($1 - most) }
        let total = weights.reduce(0, +)
        return rows[0].value.indices.map { e in
            zip(rows, weights).reduce(0) { $0 + $1.1 * $1.0.value[e] } / total
        }
    }

    @Test(arguments: 1...4) func `SubGen's centres stand for their clusters`(seed: UInt64) {
        var random = RandomRows(seed)
        let centres = random.vectors(6).map { $0.map { 2 * $0 } }
        let count = 300
        let keys = (0..<count).map { _ -> [Float] in
            zip(centres[random.below(6)], random.vector()).map { $0 + 0.02 * $1 }
        }
        let values = random.vectors(count)
        let sample = SampleRows(keys: keys, values: values, budget: 40)
        let policy = SubGen(recent: 0.5)
        let kept = RandomRows.best(sample.scores(policy), 40)
        #expect(kept.isSuperset(of: 280..<300))
        let lost = (0..<count).filter { !kept.contains($0) }
        let changes = sample.dispose(policy, lost: lost, kept: kept.sorted())
        let changed = Dictionary(uniqueKeysWithValues: changes.map { ($0.row, $0) })
        let merged: [(key: [Float], value: [Float], count: Float)] = kept.sorted().map { row in
            changed[row].map { (key: $0.key, value: $0.value, count: $0.mergeCount) } ?? (keys[row], values[row], 1)
        }
        // Nothing is lost of the rows' number.
        #expect(merged.reduce(0) { $0 + $1.count } == Float(count))
        let all = zip(keys, values).map { (key: $0, value: $1, count: Float(1)) }
        let dropped = kept.sorted().map { all[$0] }
        func error(_ rows: [(key: [Float], value: [Float], count: Float)]) -> Float {
            (0..<20).reduce(0) { sum, i in
                let query = centres[i % 6].map { $0 / 4 }
                return sum
                    + zip(attention(rows, query), attention(all, query)).reduce(0) { max($0, abs($1.0 - $1.1)) } / 20
            }
        }
        #expect(error(merged) < 0.05 && error(merged) < 0.2 * error(dropped), "\(error(merged)) \(error(dropped))")
        // What stands for many goes on standing for them.
        let again = SampleRows(
            keys: keys, values: values, budget: 40, mergeCount: (row: changes[0].row, count: 50))
        let counts = again.dispose(policy, lost: lost, kept: kept.sorted()).map(\.mergeCount)
        #expect(counts.reduce(0, +) == changes.reduce(0) { $0 + $1.mergeCount } + 49)
    }

    @Test(arguments: 1...3) func `with a radius entries grow with clusters, not with tokens, and the error is bounded`(
        seed: UInt64
    ) {
        var random = RandomRows(seed)
        let centres = random.vectors(40)
        let policy = SubGen(recent: 0.01, radius: 1)
        var entries: [Int] = []
        // Clusters become known slowly: as many as the root of the tokens.
        for count in [100, 400, 1600] {
            let clusters = Int(Double(count).squareRoot())
            let keys = random.vectors(count).map { own in
                let centre = centres[random.below(clusters)]
                return own.indices.map { centre[$0] + 0.05 * own[$0] }
            }
            let values = random.vectors(count)
            let sample = SampleRows(keys: keys, values: values, budget: 1000)
            let needed = policy.split(1000, heads: [[sample.measure(policy)]])[0][0]
            entries.append(needed)
            #expect(needed <= clusters + 10 && needed > clusters / 2, "\(count): \(needed)")
            guard count == 400 else { continue }
            let kept = RandomRows.best(sample.scores(policy), needed).sorted()
            let lost = keys.indices.filter { !kept.contains($0) }
            let changed = Dictionary(
                uniqueKeysWithValues: sample.dispose(policy, lost: lost, kept: kept).map { ($0.row, $0) })
            let merged: [(key: [Float], value: [Float], count: Float)] = kept.map { row in
                changed[row].map { (key: $0.key, value: $0.value, count: $0.mergeCount) } ?? (keys[row], values[row], 1)
            }
            let all = zip(keys, values).map { (key: $0, value: $1, count: Float(1)) }
            func length(_ x: [Float]) -> Float { RandomRows.dot(x, x).squareRoot() }
            let longest = values.map(length).max()!
            for size in [Float(0.02), 0.05, 0.1] {
                let query = random.vector().map { $0 * size }
                let error = length(zip(attention(merged, query), attention(all, query)).map { $0 - $1 })
                #expect(error <= (exp(4 * length(query)) - 1) * longest, "\(error)")
            }
        }
        // Sixteen times the tokens, four times the entries.
        #expect(entries[2] < 6 * entries[0])
    }

    @Test func `what was attended to long ago goes before what was lately, or the other way`() {
        // Attention that has decayed twice, once and not at all.
        let paid: [(Float, Int)] = [(8, 2), (1, 0), (3, 1), (0, 0)]
        func scores(_ policy: Attendre) -> [Float] {
            let keys = [[Float]](repeating: [Float](repeating: 1, count: 16), count: 4)
            return SampleRows(
                keys: keys, values: keys, attention: paid.map { $0.0 * pow(policy.decay, Float($0.1)) }
            ).scores(policy)
        }
        func order(_ scores: [Float]) -> [Int] { scores.indices.sorted { scores[$0] < scores[$1] } }
        #expect(order(scores(Attendre(decay: 0.1, recent: 0))) == [3, 0, 2, 1])
        #expect(order(scores(Attendre(decay: 1, recent: 0))) == [3, 1, 2, 0])
        #expect(scores(Attendre(recent: 2)).suffix(2) == [.infinity, .infinity])
    }

    private func pruned(_ text: String) -> [Substring] {
        let tokens = text.utf8.map { Int32($0) }
        let keys = [[Float]](repeating: [Float](repeating: 1, count: 16), count: tokens.count)
        let sample = SampleRows(keys: keys, values: keys)
        sample.tokens = tokens
        let scores = sample.scores(SubtaskPruning(tokenizer: Bytes(), sinks: 0))
        // Runs of rows that go first.
        var runs: [Substring] = []
        var start: Int?
        for row in 0...scores.count {
            let goes = row < scores.count && scores[row] < 0
            if goes, start == nil { start = row }
            if !goes, let first = start {
                let from = text.utf8.index(text.startIndex, offsetBy: first)
                runs.append(text[from..<text.utf8.index(text.startIndex, offsetBy: row)])
                start = nil
            }
        }
        return runs
    }

    @Test func `finished subtasks go first, and their conclusions stay`() {
        let inner = #"{"thought": "b ] [", "conclusion": "4"}"#
        let outer = #"{"thought": "a", "subtasks": [\#(inner)], "conclusion": "5"}"#
        #expect(pruned(#"{"subtasks": [\#(outer)"#) == [inner[...]])
        // A list that closes takes those in it along; open ones stay, and lists of another kind.
        #expect(pruned(#"{"subtasks": [\#(outer)], "conclusion": "6"}"#) == [outer[...]])
        #expect(pruned(#"{"subtasks": [{"thought": "it \"quotes\" ]"#).isEmpty)
        #expect(pruned(#"{"parts": [1, 2], "subtasks": []}"#).isEmpty)
        // Text around is no obstacle.
        #expect(pruned("5\" wide ]]\n{\"subtasks\": [1, 2], \"conclusion\": 3}") == ["1, 2"])
    }
}

/// Structures that stand for single keys or sentences, beside the scores that they stand for.
@Suite struct PageIndexTests {
    private static let rope = RotaryEmbedding(dimensions: 32, base: 10_000, interleaved: false)

    /// The logarithm of what a page's rows have of attention.
    private func masses(_ keys: [[Float]], _ query: [Float]) -> [Float] {
        stride(from: 0, to: keys.count, by: 32).map { start in
            let scores = keys[start..<start + 32].map { RandomRows.dot($0, query) }
            let most = scores.max() ?? 0
            return most + log(scores.reduce(0) { $0 + exp($1 - most) })
        }
    }

    private func scores(_ index: any KVPageIndex, _ query: [Float], at position: Int, pages: Int) -> [Float] {
        var scores = [Float](repeating: .nan, count: pages)
        index.score(query, at: position, into: &scores)
        return scores
    }

    @Test(arguments: 1...4) func `codes of two bits find the rows that a query looks for`(seed: UInt64) {
        var random = RandomRows(seed)
        let pages = 24
        var keys = random.vectors(pages * 32)
        let query = random.vector().map { $0 / 2 }
        // One row of each: a page's mean would hardly show it.
        let planted = random.some(5, of: 0..<pages)
        for page in planted {
            let row = page * 32 + random.below(32)
            keys[row] = zip(keys[row], query).map { $0 + 4 * $1 }
        }
        let index = SpeCache().index()
        index.add(KVPageRows(first: 0, keys: Array(keys.prefix(20 * 32))))
        // Later pages are coded by the levels of the first ones.
        for page in 20..<pages {
            index.add(KVPageRows(first: page * 32, keys: Array(keys[page * 32..<page * 32 + 32])))
        }
        let found = scores(index, query, at: keys.count, pages: pages)
        #expect(RandomRows.best(found, 7).isSuperset(of: planted))
        let exact = masses(keys, query)
        #expect(RandomRows.best(exact, 5) == Set(planted))
        // A quarter of a byte for an element.
        #expect(index.bytes <= keys.count * 8 + 8 * 32)
    }

    @Test(arguments: 1...3) func `a codebook does not see positions, and codes best what queries meet`(seed: UInt64) {
        var random = RandomRows(seed)
        let pages = 16
        let plain = random.vectors(pages * 32)
        var queries = random.vectors(32)
        for i in queries.indices { for e in 0..<32 where e % 16 >= 4 { queries[i][e] *= 0.05 } }
        let policy = A2ATS(rope: Self.rope, distance: 64)
        /// The index of the same keys, standing from a position on.
        func index(from first: Int, queries: [[Float]]) -> any KVPageIndex {
            let index = policy.index()
            var rows = KVPageRows(
                first: first, keys: plain.enumerated().map { Self.rope.rotated($1, by: first + $0) })
            rows.queries = queries
            index.add(rows)
            return index
        }
        let end = plain.count
        // As if they were the last tokens'.
        let asked = queries.map { Self.rope.rotated($0, by: end - 64) }
        let here = index(from: 0, queries: asked)
        let there = index(from: 700, queries: queries.map { Self.rope.rotated($0, by: end + 700 - 64) })
        let other = index(from: 0, queries: [])
        var errors: (aware: Float, blind: Float) = (0, 0)
        for query in queries.prefix(8) {
            let found = scores(here, Self.rope.rotated(query, by: 2000 - 64), at: 2000, pages: pages)
            let again = scores(there, Self.rope.rotated(query, by: 2000 - 64), at: 2000, pages: pages)
            let blind = scores(other, Self.rope.rotated(query, by: 2000 - 64), at: 2000, pages: pages)
            let exact = masses(plain, query)
            for page in 0..<pages {
                #expect(abs(found[page] - again[page]) < 0.1, "\(found[page]) \(again[page])")
                errors.aware += abs(found[page] - exact[page])
                errors.blind += abs(blind[page] - exact[page])
            }
        }
        #expect(errors.aware < errors.blind, "\(errors)")
    }

    @Test(arguments: 1...2) func `a graph of keys finds the rows of highest inner product`(seed: UInt64) {
        var random = RandomRows(seed)
        let pages = 30
        // Keys of different lengths: the nearest by angle is not the highest.
        var keys = random.vectors(pages * 32).map { key in key.map { $0 * 0.5 } }
        let query = random.vector().map { $0 / 2 }
        let planted = random.some(4, of: 0..<pages)
        for page in planted { for row in 0..<3 { keys[page * 32 + row * 7] = query.map { 3 * $0 } } }
        for page in 0..<pages where !planted.contains(page) { keys[page * 32 + 5] = query.map { 0.1 * $0 } }
        let index = RetrievalAttention(found: 40, effort: 120, isAware: false).index()
        index.add(KVPageRows(first: 0, keys: Array(keys.prefix(25 * 32))))
        for page in 25..<pages {
            index.add(KVPageRows(first: page * 32, keys: Array(keys[page * 32..<page * 32 + 32])))
        }
        let found = scores(index, query, at: keys.count, pages: pages)
        #expect(RandomRows.best(found, 4) == Set(planted) && !found.contains { !$0.isFinite })
        #expect(index.bytes < keys.count * 32)
        // No query, nothing found: still a score for each page.
        #expect(!scores(index, [Float](repeating: 0, count: 32), at: 9, pages: pages).contains { !$0.isFinite })
    }

    @Test(arguments: 1...4) func `all pages of a sentence that a query looks for are found`(seed: UInt64) {
        var random = RandomRows(seed)
        let pages = 20
        // Sentences of 5 to 30 rows; token 7 ends one.
        var tokens: [Int32] = []
        var sentences: [Range<Int>] = []
        while tokens.count < pages * 32 {
            let length = min(pages * 32 - tokens.count, 5 + random.below(26))
            sentences.append(tokens.count..<tokens.count + length)
            tokens += (0..<length - 1).map { _ in 1 } + [7]
        }
        let query = random.vector()
        let sought = sentences.first { $0.lowerBound / 32 != ($0.upperBound - 1) / 32 } ?? sentences[3]
        var keys = random.vectors(tokens.count)
        for row in sought { keys[row] = zip(keys[row], query).map { $0 + $1 } }
        let policy = SentenceKV(ends: [7])
        func rows(_ range: Range<Int>) -> KVPageRows {
            var rows = KVPageRows(first: range.lowerBound, keys: Array(keys[range]))
            rows.tokens = Array(tokens[range])
            return rows
        }
        let whole = policy.index()
        whole.add(rows(0..<tokens.count))
        let found = scores(whole, query, at: tokens.count, pages: pages)
        #expect(RandomRows.best(found, 2) == [sought.lowerBound / 32, (sought.upperBound - 1) / 32])
        // Page by page it comes to the same.
        let grown = policy.index()
        for page in 0..<pages { grown.add(rows(page * 32..<page * 32 + 32)) }
        #expect(scores(grown, query, at: tokens.count, pages: pages) == found)
        // Without ends, sentences are cut where they grow too long.
        let endless = SentenceKV(ends: [], longest: 64).index()
        endless.add(rows(0..<tokens.count))
        #expect(endless.bytes < whole.bytes && !scores(endless, query, at: 640, pages: pages).contains { !$0.isFinite })
    }
}
