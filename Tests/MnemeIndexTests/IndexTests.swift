import MnemeIndex
import Testing

@Suite struct IndexTests {
    @Test(arguments: [
        ("Ana's dogs WERE running!", ["ana", "dog", "run"]),
        ("東京 is big", ["東京", "東", "京", "big"]),
        ("café naïve", ["café", "naïv"]),
        ("don’t won't 3.14", ["dont", "wont", "3", "14"]),
        ("", []), ("the of and", []),
    ])
    func `text becomes stems`(text: String, expected: [String]) {
        #expect(TextAnalyzer().terms(text) == expected)
    }

    @Test func `term counts survive encoding, and damaged bytes are refused`() throws {
        let counts = TermCounts(["a", "b", "a", "c"])
        #expect(try #require(TermCounts(encoded: counts.encoded)) == counts)
        #expect(counts.length == 4)
        for length in 0..<counts.encoded.count where length % 5 != 0 {
            #expect(TermCounts(encoded: Array(counts.encoded.prefix(length))) == nil)
        }
        #expect(TermCounts(encoded: [0, 0, 0, 0, 0]) == nil)
        #expect(TermCounts(encoded: Array(counts.encoded.reversed())) == nil)
        #expect(counts.similarity(to: TermCounts(["a", "b", "a", "c"])) == 1)
        #expect(counts.similarity(to: TermCounts(["x"])) == 0)
    }

    @Test func `what was removed weighs no more in what terms tell`() {
        let kept = ["ferry harbour", "harbour boat", "apple"]
        let gone = "ferry apple boat river stone lake"
        var index = LexicalIndex()
        var expected = LexicalIndex()
        for text in kept {
            index.append(TermCounts(TextAnalyzer().terms(text)))
            expected.append(TermCounts(TextAnalyzer().terms(text)))
        }
        let terms = TermCounts(TextAnalyzer().terms(gone))
        for _ in 0..<200 { index.append(terms) }
        for document in kept.count..<index.count { index.remove(document, old: terms) }
        for (term, _) in TermCounts(TextAnalyzer().terms("ferry harbour apple river")).entries {
            let tells = index.inverseDocumentFrequency(term)
            #expect(tells == expected.inverseDocumentFrequency(term))
        }
        #expect(index.count == kept.count + 200)
    }

    /// BM25 by its definition, from whole documents.
    private static func reference(
        _ query: [String], _ documents: [[String]], mean: Double, df: (String) -> Int, n: Int
    )
        -> [Double]
    {
        let idf = query.map {
            let d = Double(df($0))
            return log1p64((Double(n) - d + 0.5) / (d + 0.5))
        }
        let best = idf.reduce(0, +)
        return documents.map { document in
            zip(query, idf).reduce(0.0) { sum, term in
                let c = Double(document.count { $0 == term.0 })
                return sum + term.1 / best * c
                    / (c + 1.2 * (0.25 + 0.75 * Double(document.count) / mean))
            }
        }
    }

    @Test(arguments: 0..<20)
    func `scores equal BM25 of documents, windows and sessions, after any edits`(seed: UInt64) {
        var random = Seeded(state: seed &* 77 &+ 1)
        let words = (0..<12).map { "w\($0)" }
        var index = LexicalIndex()
        var sessions = SessionLinks()
        var documents: [[String]] = []
        var members: [[Int]] = []
        var ends: [Int] = []
        for _ in 0..<3 {
            _ = sessions.addSession()
            members.append([])
            ends.append(0)
        }
        for i in 0..<40 {
            let document = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                words.randomElement(using: &random)!
            }
            let session = Int.random(in: 0..<3, using: &random)
            documents.append(document)
            index.append(TermCounts(document))
            sessions.append(session: session, place: Int64(ends[session]), length: document.count)
            ends[session] += 1
            members[session].append(i)
        }
        for _ in 0..<10 {
            let i = Int.random(in: 0..<40, using: &random)
            let new = (0..<4).map { _ in words.randomElement(using: &random)! }
            sessions.adjust(i, by: new.count - documents[i].count)
            index.replace(i, old: TermCounts(documents[i]), with: TermCounts(new))
            documents[i] = new
        }
        let query = ["w1", "w5", "w9"]
        let scores = index.score(query.map(TermCounts.hash), sessions: sessions)
        let total = documents.reduce(0) { $0 + $1.count }
        func df(_ term: String) -> Int { documents.count { $0.contains(term) } }
        let alone = Self.reference(query, documents, mean: Double(total) / 40, df: df, n: 40)
        let windows = (0..<40).map { i -> [String] in
            let list = members.first { $0.contains(i) }!
            let place = list.firstIndex(of: i)!
            return list[max(0, place - 2)...min(list.count - 1, place + 2)].flatMap {
                documents[$0]
            }
        }
        let around = Self.reference(query, windows, mean: Double(total) / 40 * 5, df: df, n: 40)
        let whole = Self.reference(
            query, members.map { $0.flatMap { documents[$0] } }, mean: Double(total) / 3, df: df,
            n: 40)
        for i in 0..<40 {
            #expect(
                abs(Double(scores.document[i]) - alone[i]) < 1e-5, "seed \(seed), document \(i)")
            #expect(abs(Double(scores.window[i]) - around[i]) < 1e-5, "seed \(seed), window \(i)")
            #expect(
                abs(Double(scores.session[i]) - whole[members.firstIndex { $0.contains(i) }!])
                    < 1e-5,
                "seed \(seed), session of \(i)")
        }
    }

    @Test func `neighbours follow places, whatever the order of arrival`() {
        var sessions = SessionLinks()
        let session = sessions.addSession()
        for place in [5, 1, 3, 2, 4] {
            sessions.append(session: session, place: Int64(place), length: 1)
        }
        var near: [Int] = []
        sessions.forEachNeighbour(of: 2, reach: 1) { near.append($0) }  // place 3, between 2 and 4
        #expect(near == [2, 3, 4])
    }

    @Test func `the highest are chosen in order, ties by number`() {
        #expect(highest(3, of: [0.5, 0, 0.9, 0.5, 0.1]) { $0 != 2 } == [0, 3, 4])
        #expect(
            highest(0, of: [1]) { _ in true }.isEmpty && highest(5, of: []) { _ in true }.isEmpty)
    }
}

struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 33)
    }
}

private func log1p64(_ x: Double) -> Double { Double.logarithm(1 + x) }

extension Double {
    /// Natural logarithm by halving and a series, so that the test needs no platform library.
    fileprivate static func logarithm(_ x: Double) -> Double {
        let exponent = Double(x.exponent)
        let m = x.significand
        let t = (m - 1) / (m + 1)
        return exponent * 0.693147180559945309 + 2
            * stride(from: 1, to: 60, by: 2).reduce(0.0) { sum, k in
                sum + (0..<k).reduce(1.0) { p, _ in p * t } / Double(k)
            }
    }
}

@Suite struct MemoryGraphTests {
    @Test(arguments: 0..<20)
    func `a row-wise product equals the dense one`(seed: UInt64) {
        var random = Seeded(state: seed &* 7 &+ 3)
        let (n, m, p) = (
            Int.random(in: 1...9, using: &random), Int.random(in: 1...200, using: &random),
            Int.random(in: 1...300, using: &random)
        )
        func matrix(_ rows: Int, _ columns: Int) -> [[Float]] {
            (0..<rows).map { _ in
                (0..<columns).map { _ in
                    Int.random(in: 0..<4, using: &random) == 0
                        ? Float.random(in: -1...1, using: &random) : 0
                }
            }
        }
        let a = matrix(n, m)
        let b = matrix(m, p)
        var sparse = SparseMatrix()
        for row in a {
            sparse.append(
                row.enumerated().filter { $0.element != 0 }.map {
                    (column: $0.offset, value: $0.element)
                })
        }
        let product = sparse.product { row, each in
            for (column, value) in b[row].enumerated() where value != 0 { each(column, value) }
        }
        #expect(product.rowCount == n)
        let limited = sparse.product(limit: 3) { row, each in
            for (column, value) in b[row].enumerated() where value != 0 { each(column, value) }
        }
        for i in 0..<n where product.row(i).count > 3 {
            let best = product.row(i).sorted { ($1.value, $0.column) < ($0.value, $1.column) }
            #expect(limited.row(i).map(\.column) == best.prefix(3).map(\.column))
            #expect(limited.row(i).map(\.value.bitPattern) == best.prefix(3).map(\.value.bitPattern))
        }
        for i in 0..<n {
            var dense = [Float](repeating: 0, count: p)
            for (column, value) in product.row(i) { dense[column] = value }
            for j in 0..<p {
                #expect(abs(dense[j] - (0..<m).reduce(0) { $0 + a[i][$1] * b[$1][j] }) < 1e-4)
            }
        }
    }

    @Test func `a walk spreads by kind, time and distance`() {
        var graph = MemoryGraph()
        for _ in 0..<6 { _ = graph.addNode() }
        graph.link(0, 1, .related, time: 10)
        graph.link(1, 2, .derivedFrom, time: 20)
        graph.link(0, 3, .temporal)
        graph.link(3, 3, .related)
        graph.link(0, 1, .related, time: 99)  // already there
        func scores(_ walk: [(node: Int, score: Float)]) -> [Int: Float] {
            Dictionary(uniqueKeysWithValues: walk.map { ($0.node, $0.score) })
        }
        let near = scores(graph.walk(from: [(0, 1)], hops: 1))
        #expect(near == [1: 0.4, 3: 0.1])  // weights 2 and 0.5, of which a half goes on
        let far = scores(graph.walk(from: [(0, 1)], hops: 2))
        #expect(far[2]! < far[1]! && far[2]! > 0 && far[0]! > 0 && far[4] == nil)
        #expect(scores(graph.walk(from: [(0, 1)], before: 15))[2] == nil)
        #expect(scores(graph.walk(from: [(0, 1)], kinds: [.temporal])).keys.sorted() == [0, 3])
        graph.unlink(1, 0, .related)
        #expect(scores(graph.walk(from: [(0, 1)])).keys.sorted() == [0, 3])
        graph.isolate(0)
        #expect(graph.walk(from: [(0, 1), (77, 1), (-1, 1)]).isEmpty)
    }

    @Test func `a walk equals the power series of the dense matrix`() {
        var random = Seeded(state: 5)
        var graph = MemoryGraph()
        var weights = [[Float]](repeating: [Float](repeating: 0, count: 40), count: 40)
        for _ in 0..<40 { _ = graph.addNode() }
        for _ in 0..<120 {
            let a = Int.random(in: 0..<40, using: &random)
            let b = Int.random(in: 0..<40, using: &random)
            guard a != b, weights[a][b] == 0 else { continue }
            graph.link(a, b, .entity)
            (weights[a][b], weights[b][a]) = (1, 1)
        }
        let steps = weights.map { row in row.map { $0 / max(1, row.reduce(0, +)) } }
        var state = [Float](repeating: 0, count: 40)
        var sum = state
        (state[3], state[8]) = (1, 0.5)
        for hop in 1...3 {
            state = (0..<40).map { j in (0..<40).reduce(0) { $0 + state[$1] * steps[$1][j] } }
            for j in 0..<40 { sum[j] += (hop == 1 ? 0.6 : hop == 2 ? 0.36 : 0.216) * state[j] }
        }
        let walk = Dictionary(
            uniqueKeysWithValues: graph.walk(from: [(3, 1), (8, 0.5)], hops: 3, decay: 0.6).map {
                ($0.node, $0.score)
            })
        for j in 0..<40 { #expect(abs((walk[j] ?? 0) - sum[j]) < 1e-5) }
    }
}
