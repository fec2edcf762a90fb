import Foundation
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// Texts whose keys and values were computed at another place.
@Suite(.enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"), .serialized)
struct ReuseTests {
    private func text(_ seed: Int, _ count: Int) -> [Int32] { (0..<count).map { Int32(1000 + ($0 * $0 * 13 + $0 * seed * 17 + seed) % 40000) } }

    private func key(_ view: KVView, _ layer: Int, _ position: Int, _ element: Int) -> Float {
        Float(Float16(bitPattern: view.keys[layer * view.layerStride + view.keyPlace(position) + element * KVView.blockTokens]))
    }

    @Test func `keys that are moved are those of the new place, values stay`() throws {
        let model = try RealModel.loaded.get(), c = model.decoder.configuration, tokens = text(3, 70)
        let source = Cache(c, positions: 200), target = Cache(c, positions: 200), expected = Cache(c, positions: 200)
        _ = model.decoder.logits(tokens, at: 21, in: source, rows: 1)
        _ = model.decoder.logits(tokens, at: 99, in: expected, rows: 1)
        let transplant = KVTransplant(c)
        transplant.copy(21..<91, of: source.view, to: target.view, at: 99)
        var worst: Float = 0
        for p in 0..<70 {
            for i in 0..<c.kvSize {
                // In the first layer nothing but the token and its place matters.
                worst = max(worst, abs(key(target.view, 0, 99 + p, i) - key(expected.view, 0, 99 + p, i)) / max(1, abs(key(expected.view, 0, 99 + p, i))))
                let place = i / c.headDimension * c.headDimension * KVView.blockTokens + i % c.headDimension
                for layer in [0, c.layers - 1] {
                    let from = source.view.values[layer * source.view.layerStride + source.view.valuePlace(21 + p, dimension: c.headDimension) + place]
                    let to = target.view.values[layer * target.view.layerStride + target.view.valuePlace(99 + p, dimension: c.headDimension) + place]
                    #expect(from == to)
                }
            }
        }
        #expect(worst < 4e-3, "\(worst)")
        transplant.copy(21..<91, of: source.view, to: target.view, at: 21)
        #expect((21..<91).allSatisfy { p in (0..<c.kvSize).allSatisfy { key(target.view, 5, p, $0) == key(source.view, 5, p, $0) } })
    }

    @Test func `what is computed again altogether is exact, and less of it is nearer than nothing`() throws {
        let model = try RealModel.loaded.get(), decoder = model.decoder, c = decoder.configuration, prefix = text(1, 20)
        let parts = (0..<4).map { text($0 + 5, 60) }, question = text(2, 10), prompt = prefix + parts.flatMap { $0 } + question
        let whole = Cache(c, positions: 300)
        _ = decoder.logits(Array(prompt.prefix(200)), at: 0, in: whole, rows: 1)
        let expected = decoder.logits(Array(prompt.dropFirst(200)), at: 200, in: whole, rows: 1)[0]
        let sources = parts.map { part in
            let cache = Cache(c, positions: 100)
            _ = decoder.logits(prefix + part, at: 0, in: cache, rows: 1)
            return cache
        }
        func distance(_ policy: some RecomputePolicy, _ share: Double) -> (computed: Int, distance: Float) {
            let cache = Cache(c, positions: 300)
            _ = decoder.logits(prefix, at: 0, in: cache, rows: 1)
            let chunks = sources.enumerated().map { ChunkReuse.Chunk(place: 20 + 60 * $0..<80 + 60 * $0, source: $1.view, position: 20) }
            var logits = [Float](repeating: 0, count: c.vocabularySize)
            let computed = logits.withUnsafeMutableBufferPointer {
                ChunkReuse(decoder).fill(cache.view, tokens: prompt, known: 20, chunks: chunks, policy: policy, share: share, logits: $0.baseAddress!)
            }
            return (computed, zip(logits, expected).map { abs($0 - $1) }.max()!)
        }
        let exact = distance(ChunkStarts(), 1), naive = distance(NaiveReuse(), 0)
        #expect(exact == (250, 0))
        #expect(naive.computed == 10 && naive.distance > 0.1)
        for policy in [CacheBlend(), QuestionAttention(), QuestionChunks(), ChunkStarts()] as [any RecomputePolicy] {
            let some = distance(policy, 0.25), all = distance(policy, 1)
            #expect(some.computed == 70 && all == (250, 0), "\(policy) \(some) \(all)")
        }
    }
}
