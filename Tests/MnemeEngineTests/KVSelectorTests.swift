import Foundation
import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeNumerics
import Testing

/// Numbers that are the same on every machine.
private struct Noise {
    private var state: UInt64
    init(_ seed: Int) { state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

    /// About normal, with a deviation of 1.
    mutating func next() -> Float {
        (0..<12).reduce(Float(-6)) { sum, _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return sum + Float(state >> 40) / 16_777_216
        }
    }
    mutating func vector(_ count: Int) -> [Float] { (0..<count).map { _ in next() } }
}

@Suite struct PageScoreTests {
    @Test(arguments: [(64, 3, 40), (128, 1, 16), (80, 8, 1)])
    func `scores of pages agree with Double, and all paths give the same bits`(
        shape: (dimension: Int, group: Int, pages: Int)
    ) {
        var noise = Noise(shape.pages)
        let queries = noise.vector(shape.group * shape.dimension)
        let padded = (shape.pages + 15) / 16 * 16
        for count in [1, 2] {
            let vectors = noise.vector(padded * count * shape.dimension).map { Float16($0).bitPattern }
            func scores(_ features: ProcessorFeatures) -> [Float] {
                var out = [Float](repeating: .nan, count: shape.group * padded)
                DecoderKernels(features: features).scorePages(
                    queries: queries, count: shape.group, dimension: shape.dimension, scale: 0.5,
                    vectors: vectors, of: count, pages: shape.pages, into: &out)
                return out
            }
            let result = scores(.portable)
            for page in 0..<shape.pages {
                for r in 0..<shape.group {
                    let expected = (0..<shape.dimension).reduce(0.0) { sum, i in
                        let q = Double(queries[r * shape.dimension + i])
                        let all = (0..<count).map { v -> Double in
                            let place =
                                ((page / 16 * shape.dimension + i) * count + v) * 16 + page % 16
                            return q * Double(Float16(bitPattern: vectors[place]))
                        }
                        // Of two, the first where the query's element is not positive.
                        return sum + (count == 1 ? all[0] : q > 0 ? all[1] : all[0])
                    }
                    #expect(abs(Double(result[r * padded + page]) - 0.5 * expected) < 1e-4)
                }
            }
            for features in [[.avx2], [.avx2, .avx512]] as [ProcessorFeatures]
            where ProcessorFeatures.current.isSuperset(of: features) {
                #expect(scores(features) == result)
            }
        }
    }

    @Test(arguments: [(40, 3, 3), (129, 1, 17), (12, 8, 4)])
    func `pages are worth their share of attention, summed over queries`(
        shape: (pages: Int, group: Int, first: Int)
    ) {
        var noise = Noise(shape.pages)
        let padded = (shape.pages + 15) / 16 * 16
        let scores = (0..<shape.group * padded).map { _ in 4 * noise.next() }
        let range = shape.first..<shape.pages - 1
        func worth(_ features: ProcessorFeatures) -> [Float] {
            var out = [Float](repeating: .nan, count: padded)
            DecoderKernels(features: features).pageWorth(
                scores, queries: shape.group, pages: range, into: &out)
            return out
        }
        let result = worth(.portable)
        for page in 0..<padded {
            let expected = (0..<shape.group).reduce(0.0) { sum, r in
                let row = range.map { exp(Double(scores[r * padded + $0])) }
                return sum
                    + (range.contains(page) ? row[page - shape.first] / row.reduce(0, +) : 0)
            }
            #expect(abs(Double(result[page]) - expected) < 1e-5)
        }
        for features in [[.avx2], [.avx2, .avx512]] as [ProcessorFeatures]
        where ProcessorFeatures.current.isSuperset(of: features) {
            #expect(worth(features) == result)
        }
    }

    @Test func `like keys share a page, and each row has its place once`() {
        var noise = Noise(9)
        let centers = (0..<8).map { _ in noise.vector(32).map { 4 * $0 } }
        // A page's worth of each kind, mixed.
        let keys = (0..<256).map { row in zip(centers[row * 5 % 8], noise.vector(32)).map { $0 + 0.3 * $1 } }
        let order = RetroInfer().order(keys)
        #expect(order.sorted() == Array(0..<256) && order == RetroInfer().order(keys))
        for page in 0..<8 {
            #expect(Set(order[page * 32..<(page + 1) * 32].map { $0 * 5 % 8 }).count == 1)
        }
        #expect(RetroInfer().order([]).isEmpty)
        // Rows without anything to tell them apart stay as they are.
        #expect(RetroInfer().order([[Float]](repeating: [1, 2], count: 96)) == Array(0..<96))
    }

    @Test func `a page is bounded by its extremes, and stood for by its mean`() {
        var noise = Noise(3)
        let keys = (0..<32).map { _ in noise.vector(16) }
        let query = noise.vector(16)
        func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        let bounds = Quest().summary(keys).vectors
        let bound = query.indices.reduce(Float(0)) {
            $0 + max(query[$1] * bounds[0][$1], query[$1] * bounds[1][$1])
        }
        #expect(keys.allSatisfy { dot($0, query) <= bound + 1e-4 })
        let shadow = ShadowKV().summary(keys)
        let mean = keys.reduce(Float(0)) { $0 + dot($1, query) } / 32
        #expect(abs(dot(shadow.vectors[0], query) - mean) < 1e-4)
        // Keys that are all alike are stood for well, one that looks the other way badly.
        let same = [[Float]](repeating: keys[0], count: 31)
        let odd = ShadowKV().summary(same + [keys[0].map { -$0 }]).dissimilarity
        #expect(abs(ShadowKV().summary(same + [keys[0]]).dissimilarity) < 1e-5 && odd > 1.9)
    }
}

@Suite(
    .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
    .serialized)
struct KVSelectorTests {
    /// A layer's heads with random keys, on some of whose pages all keys look the query's way.
    ///
    /// - Parameter before: a layer that chooses for the same queries first; `layer` has others then.
    private func chosen(
        _ selector: any KVSelector, wanted: [Int], pages: Int, read: Int, layer: Int,
        before: Int? = nil
    ) throws -> [[Int32]] {
        let c = try RealModel.loaded.get().decoder.configuration
        let d = c.headDimension
        let block = KVShape.blockTokens
        let group = c.heads / c.kvHeads
        var noise = Noise(pages + layer)
        let memory = AlignedBuffer<UInt16>((pages + 1) * 2 * block * d)
        let heads = UnsafeMutablePointer<KVHeadRows>.allocate(capacity: c.layers * c.kvHeads)
        let tables = AlignedBuffer<Int32>(pages + 1)
        defer { heads.deallocate() }
        for page in 0...pages {
            tables.pointer[page] = Int32(page * 2 * block * d / KVHeadRows.pageUnit)
        }
        for i in 0..<c.layers * c.kvHeads {
            (heads + i).initialize(to: KVHeadRows(pages: tables.pointer, codeBits: 0))
        }
        let queries = (0..<group).map { _ in noise.vector(d) }
        for (page, row) in (0..<pages).flatMap({ page in (0..<block).map { (page, $0) } }) {
            var key = noise.vector(d)
            // Each of the wanted pages is what one of the queries looks for.
            if let index = wanted.firstIndex(of: page) {
                for e in 0..<d { key[e] += 0.7 * queries[index % group][e] }
            }
            for e in 0..<d {
                memory.pointer[page * 2 * block * d + e * block + row] = Float16(key[e]).bitPattern
            }
        }
        let selection = KVSelection(
            c, selector, rows: (read * block, (pages + 1) * block), heads: heads)
        var result: [[Int32]] = []
        func choose(_ layer: Int, _ head: Int, _ queries: [[Float]]) {
            let i = layer * c.kvHeads + head
            heads[i].count = pages * block + 5
            selection.build(i, base: memory.pointer)
            queries.flatMap(\.self).withUnsafeBufferPointer {
                selection.choose(layer, head, $0.baseAddress!, scale: 1 / Float(d).squareRoot())
            }
        }
        if let before { for head in 0..<c.kvHeads { choose(before, head, queries) } }
        for head in 0..<c.kvHeads {
            let i = layer * c.kvHeads + head
            choose(layer, head, before == nil ? queries : queries.map { $0.map { -$0 } })
            let rows = selection.chooser.chosen[i]
            #expect(rows.count % block == 5)
            result.append(
                (0...rows.count / block).map {
                    rows.pages[$0] / Int32(2 * block * d / KVHeadRows.pageUnit)
                })
        }
        #expect(selection.readBytes > 0)
        return withExtendedLifetime((memory, tables)) { result }
    }

    @Test(arguments: [(60, 9), (200, 12)])
    func `pages that a query looks for are read, with the first and the last`(
        shape: (pages: Int, read: Int)
    ) throws {
        let wanted = [7, 23, 31, 44, 52, 57].map { $0 * shape.pages / 60 }
        for selector in [Quest(), ShadowKV(outliers: 0)] as [any KVSelector] {
            for table in try chosen(
                selector, wanted: wanted, pages: shape.pages, read: shape.read, layer: 5)
            {
                #expect(table.count == shape.read && Set(table).count == shape.read)
                #expect(table == table.sorted())
                #expect(table.first == 0 && table.suffix(2) == [Int32(shape.pages - 1), Int32(shape.pages)])
                #expect(wanted.allSatisfy { table.contains(Int32($0)) }, "\(type(of: selector))")
            }
        }
        // Behind a watershed, what was chosen there is read, whatever the queries.
        let round = RoundAttention(
            layers: try RealModel.loaded.get().decoder.configuration.layers, longest: KVShape.blockTokens)
        for table in try chosen(
            round, wanted: wanted, pages: shape.pages, read: shape.read,
            layer: round.wholeLayers + 3, before: round.wholeLayers)
        {
            #expect(table.count == shape.read && wanted.allSatisfy { table.contains(Int32($0)) })
        }
        // Layers that read all have the head's own table.
        let all = try chosen(Quest(), wanted: wanted, pages: shape.pages, read: 9, layer: 1)
        #expect(all.allSatisfy { $0 == (0...Int32(shape.pages)).map { $0 } })
    }

    @Test(arguments: PolicyCatalog.selectors + ["quest:means", "shadowkv:means"], [KVCodec.f16, .int8])
    func `reading all gives the bits of the full cache, and reading less reads less`(
        name: String, type: KVCodec
    ) throws {
        let decoder = try RealModel.loaded.get().decoder
        let c = decoder.configuration
        let tokens = (0..<390).map { (i: Int) -> Int32 in Int32(1000 + (i * i * 13 + i * 51) % 4000) }
        // A page fills on the way.
        let prompt = try ExactPrompt(decoder, Array(tokens.prefix(378)), needs: [])
        func answer(_ name: String, _ budget: Int) throws -> (logits: [Float], cache: CompressedCache) {
            let policy = try PolicyCatalog.policy(name, for: decoder, sample: [], budget: budget)
            let cache = try CompressedCache(
                decoder, policy, budget: budget, positions: 400, codec: type)
            try cache.take(prompt)
            var logits = [Float](repeating: .nan, count: c.vocabularySize)
            try logits.withUnsafeMutableBufferPointer {
                for token in tokens.suffix(12) {
                    try cache.feed([token], endsPrompt: false, logits: $0.baseAddress!)
                }
            }
            return (logits, cache)
        }
        let whole = try answer("full", 400)
        let all = try answer(name, 416)
        if ["retroinfer"].contains(name) {
            // Rows in another order add up in another order.
            let distance = zip(all.logits, whole.logits).map { abs($0 - $1) }.max()!
            #expect(distance > 0 && distance < (type == .f16 ? 0.1 : 1), "\(distance)")
        } else {
            #expect(all.logits == whole.logits)
        }
        #expect(all.cache.readBytes >= all.cache.bytes && whole.cache.readBytes == whole.cache.bytes)
        let some = try answer(name, 160)
        #expect(some.logits != whole.logits && !some.logits.contains { !$0.isFinite })
        #expect(some.cache.rowsPerHead == 390 && some.cache.bytes == whole.cache.bytes)
        #expect(Double(some.cache.readBytes) < 0.7 * Double(whole.cache.bytes))
    }
}
