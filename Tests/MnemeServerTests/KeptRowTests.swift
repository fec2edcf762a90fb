import MnemeEngine
import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers
import Testing

/// Notes the attention that it is shown, by layers and heads.
private struct Recorder: TokenScorer {
    let needs: AttentionNeed
    let seen = NIOLockedValueBox<[[Int]: [Float]]>([:])

    func scores(_ rows: KVRows) -> [Float] {
        seen.withLockedValue { $0[[rows.layer, rows.head]] = rows.attention }
        return rows.positions.map(Float.init)
    }
}

/// What caches of a small model keep, against what they must keep.
@Suite struct KeptRowTests {
    private func tokens(_ count: Int, _ seed: Int = 3) -> [Int32] {
        (0..<count).map { Int32(($0 * $0 * 7 + $0 * seed * 31 + seed) % 90) }
    }

    private func heads(_ c: DecoderConfiguration) -> [(layer: Int, head: Int)] {
        (0..<c.layers).flatMap { layer in (0..<c.kvHeads).map { (layer, $0) } }
    }

    private func feed(_ cache: CompressedCache, _ tokens: [Int32], endsPrompt: Bool = false, size: Int) throws
        -> [Float]
    {
        var logits = [Float](repeating: .nan, count: size)
        try logits.withUnsafeMutableBufferPointer {
            try cache.feed(tokens, endsPrompt: endsPrompt, logits: $0.baseAddress!)
        }
        return logits
    }

    @Test func `the last queries are the same however a prompt is computed`() async throws {
        try await TinyModel.with { model, _ in
            let c = model.decoder.configuration
            let prompt = tokens(301)
            let policy = KVPolicy("queries", trigger: .promptEnd, scorer: HashEvict())
            func cache() throws -> CompressedCache {
                try CompressedCache(model.decoder, policy, budget: 400, positions: 400)
            }
            let (taken, whole, pieces) = (try cache(), try cache(), try cache())
            try taken.take(ExactPrompt(model.decoder, prompt, needs: []))
            _ = try feed(whole, prompt, endsPrompt: true, size: c.vocabularySize)
            for start in stride(from: 0, to: 301, by: 7) {
                _ = try feed(pieces, Array(prompt[start..<min(301, start + 7)]), size: c.vocabularySize)
            }
            for (layer, head) in heads(c) {
                let queries = taken.rows(layer, head).queries
                #expect(queries.count == c.heads / c.kvHeads && queries.allSatisfy { $0.count == 32 })
                #expect(Set(queries.joined()).count == queries.count * 32)
                #expect(whole.rows(layer, head).queries == queries && pieces.rows(layer, head).queries == queries)
            }
        }
    }

    @Test func `CItruS keeps what the question attends to, before it is asked`() async throws {
        try await TinyModel.with { model, _ in
            let c = model.decoder.configuration
            let (text, question) = (tokens(96), tokens(12, 8))
            let recorder = Recorder(needs: .last(12))
            let oracle = try CompressedCache(
                model.decoder, KVPolicy("oracle", trigger: .promptEnd, scorer: recorder), budget: 100, positions: 200)
            _ = try feed(oracle, text + question, endsPrompt: true, size: c.vocabularySize)
            let policy = CItruS(recent: 16).policy("citrus", part: 96)
            let cache = try CompressedCache(model.decoder, policy, budget: 40, positions: 200)
            cache.question = question
            _ = try feed(cache, text, size: c.vocabularySize)
            let attention = recorder.seen.withLockedValue { $0 }
            for (layer, head) in heads(c) {
                let weights = try #require(attention[[layer, head]]).prefix(80)
                let best = weights.indices.sorted { (weights[$0], $0) > (weights[$1], $1) }.prefix(24)
                #expect(cache.rows(layer, head).positions == (best.sorted() + Array(80..<96)).map { Int32($0) })
            }
            // Nothing of the question stays.
            let next = try feed(cache, [5], size: c.vocabularySize)
            #expect(cache.rows(0, 0).positions.last == 96 && !next.contains { !$0.isFinite })
        }
    }

    @Test func `MiKV keeps the best rows exact and all others in codes`() async throws {
        try await TinyModel.with { model, _ in
            let c = model.decoder.configuration
            let recorder = Recorder(needs: .all)
            let prompt = try ExactPrompt(model.decoder, tokens(301), needs: [.all])
            func cache(_ policy: KVPolicy, _ budget: Int, _ type: KVCodec) throws -> CompressedCache {
                let cache = try CompressedCache(model.decoder, policy, budget: budget, positions: 400, codec: type)
                try cache.take(prompt)
                return cache
            }
            _ = try cache(KVPolicy("oracle", trigger: .promptEnd, scorer: recorder), 300, .f16)
            let exact = try cache(KVPolicy("all", trigger: .never, scorer: StreamingLLM()), 400, .f16)
            let mixed = try cache(MiKV(recent: 0).policy("mikv"), 96, .int8)
            let coded = try cache(KVPolicy("all", trigger: .never, scorer: StreamingLLM()), 400, .int8)
            #expect(mixed.rowsPerHead == 301 && mixed.bytes > coded.bytes && mixed.bytes < exact.bytes)
            let attention = recorder.seen.withLockedValue { $0 }
            for (layer, head) in heads(c) {
                let weights = try #require(attention[[layer, head]])
                let rows = mixed.rows(layer, head)
                let kept = (0..<301).map { (rows.positions[$0], rows.key($0), rows.value($0)) }
                let whole = exact.rows(layer, head)
                var (same, changed): ([Int], [Int]) = ([], [])
                for (position, key, value) in kept {
                    let row = Int(position)
                    if key == whole.key(row), value == whole.value(row) {
                        same.append(row)
                    } else {
                        changed.append(row)
                    }
                }
                #expect(Set(same + changed).count == 301 && same.count >= 96 && changed.count >= 150)
                // The first page, and what fills none, are exact in any case.
                let inside = same.filter { (32..<288).contains($0) }.map { weights[$0] }
                #expect(changed.allSatisfy { (32..<288).contains($0) })
                #expect(changed.map { weights[$0] }.max() ?? 1 <= inside.min() ?? 0)
            }
        }
    }

    @Test func `MiniCache's layers share directions and keep lengths, but for the rows that differ most`() async throws
    {
        try await TinyModel.with { model, _ in
            let c = model.decoder.configuration
            let prompt = try ExactPrompt(model.decoder, tokens(301), needs: [])
            func cache(_ policy: KVPolicy) throws -> CompressedCache {
                let cache = try CompressedCache(model.decoder, policy, budget: 400, positions: 400)
                try cache.take(prompt)
                return cache
            }
            let exact = try cache(KVPolicy("all", trigger: .never, scorer: StreamingLLM()))
            // The small model has two layers.
            var policy = KVPolicy("minicache", trigger: .promptEnd, scorer: StreamingLLM())
            policy.layers = MiniCache(start: 0, retained: 0.1)
            let merged = try cache(policy)
            func length(_ x: [Float]) -> Float { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
            func cosine(_ a: [Float], _ b: [Float]) -> Float {
                zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / (length(a) * length(b))
            }
            for head in 0..<c.kvHeads {
                func keys(_ cache: CompressedCache, _ layer: Int) -> [[Float]] {
                    let rows = cache.rows(layer, head)
                    return (0..<301).map(rows.key)
                }
                let (before, after) = (
                    [keys(exact, 0), keys(exact, 1)], [keys(merged, 0), keys(merged, 1)]
                )
                let angles = (0..<301).map { cosine(before[0][$0], before[1][$0]) }
                let stay = (0..<301).filter { before[0][$0] == after[0][$0] && before[1][$0] == after[1][$0] }
                #expect(stay.count == 301 - Int(0.9 * 301))
                let worst = stay.map { angles[$0] }.max() ?? 1
                for row in 0..<301 where !stay.contains(row) {
                    #expect(angles[row] >= worst - 1e-5 && cosine(after[0][row], after[1][row]) > 0.999)
                    for layer in 0..<2 {
                        #expect(abs(length(after[layer][row]) / length(before[layer][row]) - 1) < 0.01)
                        // Halfway between both.
                        let half = ((1 + angles[row]) / 2).squareRoot()
                        #expect(abs(cosine(after[layer][row], before[layer][row]) - half) < 0.01)
                    }
                }
            }
            #expect(merged.rowsPerHead == 301 && Double(merged.bytes) < 0.6 * Double(exact.bytes))
            #expect(
                MiniCache.merged([1, 0], [-1, 0]).lower == [1, 0] && MiniCache.merged([0, 0], [1, 0]).upper == [1, 0])
        }
    }

    @Test func `what is not read is estimated by means`() async throws {
        try await TinyModel.with { model, _ in
            let c = model.decoder.configuration
            let prompt = try ExactPrompt(model.decoder, tokens(601), needs: [])
            func logits(_ selector: RetroInfer?) throws -> [[Float]] {
                let policy = KVPolicy("policy", trigger: .never, scorer: StreamingLLM(), selector: selector)
                let cache = try CompressedCache(model.decoder, policy, budget: 192, positions: 700)
                try cache.take(prompt)
                return try tokens(40, 5).map { try feed(cache, [$0], size: c.vocabularySize) }
            }
            let exact = try logits(nil)
            func error(_ selector: RetroInfer) throws -> Float {
                zip(exact, try logits(selector)).reduce(0) { sum, pair in
                    sum + zip(pair.0, pair.1).reduce(0) { $0 + abs($1.0 - $1.1) }
                }
            }
            let (with, without) = (try error(RetroInfer()), try error(RetroInfer(estimates: false)))
            #expect(with < without / 2, "\(with) \(without)")
        }
    }
}
