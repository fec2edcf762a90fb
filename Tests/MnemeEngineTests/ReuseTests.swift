import Foundation
import MnemeBench
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// Texts whose keys and values were computed at another place.
@Suite(
    .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
    .serialized)
struct ReuseTests {
    private func text(_ seed: Int, _ count: Int) -> [Int32] {
        (0..<count).map { Int32(1000 + ($0 * $0 * 13 + $0 * seed * 17 + seed) % 40000) }
    }

    private func key(_ view: KVView, _ layer: Int, _ position: Int, _ element: Int) -> Float {
        Float(
            Float16(
                bitPattern: view.keys[
                    layer * view.layerStride + view.keyOffset(position) + element
                        * KVView.blockTokens]
            ))
    }

    @Test func `keys that are moved are those of the new position, values stay`() throws {
        let model = try RealModel.loaded.get()
        let c = model.decoder.configuration
        let tokens = text(3, 70)
        let source = Cache(c, positions: 200)
        let target = Cache(c, positions: 200)
        let expected = Cache(c, positions: 200)
        _ = model.decoder.logits(tokens, at: 21, in: source, rows: 1)
        _ = model.decoder.logits(tokens, at: 99, in: expected, rows: 1)
        let rebase = KVRebase(c)
        rebase.copy(21..<91, of: source.view, to: target.view, at: 99)
        var worst: Float = 0
        for p in 0..<70 {
            for i in 0..<c.kvSize {
                // In the first layer nothing but the token and its place matters.
                worst = max(
                    worst,
                    abs(key(target.view, 0, 99 + p, i) - key(expected.view, 0, 99 + p, i))
                        / max(1, abs(key(expected.view, 0, 99 + p, i))))
                let place =
                    i / c.headDimension * c.headDimension * KVView.blockTokens + i % c.headDimension
                for layer in [0, c.layers - 1] {
                    let from = source.view.values[
                        layer * source.view.layerStride
                            + source.view.valueOffset(21 + p, dimension: c.headDimension)
                            + place]
                    let to = target.view.values[
                        layer * target.view.layerStride
                            + target.view.valueOffset(99 + p, dimension: c.headDimension)
                            + place]
                    #expect(from == to)
                }
            }
        }
        #expect(worst < 4e-3, "\(worst)")
        rebase.copy(21..<91, of: source.view, to: target.view, at: 21)
        #expect(
            (21..<91).allSatisfy { p in
                (0..<c.kvSize).allSatisfy {
                    key(target.view, 5, p, $0) == key(source.view, 5, p, $0)
                }
            })
    }

    @Test func `tokens that stand apart are computed as each by itself`() throws {
        let model = try RealModel.loaded.get()
        let decoder = model.decoder
        let c = decoder.configuration
        let prompt = text(4, 700)
        func filled() -> Cache {
            let cache = Cache(c, positions: 700)
            for start in stride(from: 0, to: 700, by: 100) {
                _ = decoder.logits(
                    Array(prompt[start..<start + 100]), at: start, in: cache, rows: 1)
            }
            return cache
        }
        // Few enough for threads to share the context, and more; behind each other, across blocks
        // and spans.
        for positions in [
            [3, 31, 32, 300, 511, 512, 698, 699], Array(stride(from: 2, to: 700, by: 9)) + [699],
        ]
            as [[Int32]]
        {
            let ids = positions.map { prompt[Int($0)] }
            var results: [[Float]] = []
            for together in [true, false] {
                let cache = filled()
                // What is there is wrong, so that it shows who reads whose.
                for place in positions {
                    cache.view.keys[5 * cache.view.layerStride + cache.view.keyOffset(Int(place))] =
                        0x3c00
                }
                var logits = [Float](repeating: 0, count: c.vocabularySize)
                positions.withUnsafeBufferPointer { positions in
                    let view = cache.view
                    let all =
                        together
                        ? [
                            DecoderSegment(
                                tokens: 0..<positions.count, positions: positions.baseAddress!, view: view,
                                logits: 1)
                        ]
                        : positions.indices.map {
                            DecoderSegment(
                                tokens: $0..<$0 + 1, position: Int(positions[$0]), view: view,
                                logits: $0 == positions.count - 1 ? 1 : 0)
                        }
                    ids.withUnsafeBufferPointer { ids in
                        all.withUnsafeBufferPointer { all in
                            logits.withUnsafeMutableBufferPointer {
                                decoder.step(tokens: ids, segments: all, logits: $0.baseAddress!)
                            }
                        }
                    }
                }
                results.append(logits + positions.map { key(cache.view, c.layers - 1, Int($0), 7) })
            }
            #expect(results[0] == results[1] && results[0].contains { $0 != 0 })
        }
    }

    @Test func `what is computed again altogether is exact, and less of it is nearer than nothing`()
        throws
    {
        let model = try RealModel.loaded.get()
        let decoder = model.decoder
        let c = decoder.configuration
        let prefix = text(1, 20)
        let parts = (0..<4).map { text($0 + 5, 60) }
        let question = text(2, 10)
        let prompt = prefix + parts.flatMap { $0 } + question
        let whole = Cache(c, positions: 300)
        _ = decoder.logits(Array(prompt.prefix(200)), at: 0, in: whole, rows: 1)
        let expected = decoder.logits(Array(prompt.dropFirst(200)), at: 200, in: whole, rows: 1)[0]
        let sources = parts.map { part in
            let cache = Cache(c, positions: 100)
            _ = decoder.logits(prefix + part, at: 0, in: cache, rows: 1)
            return cache
        }
        func distance(_ policy: some RecomputePolicy, _ share: Double) -> (
            computed: Int, distance: Float
        ) {
            let cache = Cache(c, positions: 300)
            _ = decoder.logits(prefix, at: 0, in: cache, rows: 1)
            let chunks = sources.enumerated().map {
                ChunkReuse.Chunk(range: 20 + 60 * $0..<80 + 60 * $0, source: $1.view, position: 20)
            }
            var logits = [Float](repeating: 0, count: c.vocabularySize)
            var filling = ChunkReuse(
                decoder, cache.view, tokens: prompt, cachedTokens: 20, chunks: chunks, policy: policy,
                recomputeRatio: share)
            logits.withUnsafeMutableBufferPointer { while filling.step($0.baseAddress!) {} }
            return (filling.computed, zip(logits, expected).map { abs($0 - $1) }.max()!)
        }
        let exact = distance(ChunkStarts(), 1)
        let naive = distance(NaiveReuse(), 0)
        #expect(exact == (250, 0))
        #expect(naive.computed == 10 && naive.distance > 0.1)
        for policy in [CacheBlend(), QuestionAttention(), QuestionChunks(), ChunkStarts(), CacheCraft()]
            as [any RecomputePolicy]
        {
            let some = distance(policy, 0.25)
            let all = distance(policy, 1)
            #expect(some.computed == 70 && all == (250, 0), "\(policy) \(some) \(all)")
        }
    }

    @Test(arguments: 1...5) func `texts that looked at others are computed again, and their tokens that did most`(
        seed: UInt64
    ) {
        var random = RandomRows(seed)
        let chunks = [5..<45, 50..<90, 90..<130]
        // The first text looked at nothing else, of the last few tokens did.
        let planted = random.some(10, of: 90..<130)
        var evidence: [Int: Float] = [:]
        for row in 50..<90 { evidence[row] = 0.2 + 0.01 * abs(random.next()) }
        for row in planted { evidence[row] = 0.8 }
        let chosen = CacheCraft().positions(chunks, recomputeRatio: 0.25, evidence: evidence)
        #expect(chosen.count == 30 && Set(chosen).count == 30)
        #expect(Set(chosen).isSuperset(of: planted) && chosen.allSatisfy { $0 >= 50 })
        let inSecond = chosen.filter { $0 < 90 }
        let least = inSecond.map { evidence[$0] ?? 0 }.min() ?? 0
        #expect((50..<90).allSatisfy { inSecond.contains($0) || (evidence[$0] ?? 0) <= least })
        // Without evidence all texts get the same; all of it is all of them.
        let even = CacheCraft().positions(chunks, recomputeRatio: 0.2, evidence: [:])
        #expect(chunks.allSatisfy { chunk in even.count { chunk.contains($0) } == 8 })
        #expect(Set(CacheCraft().positions(chunks, recomputeRatio: 1, evidence: evidence)) == Set(chunks.joined()))
    }

    /// Answers of an engine, and how much of the prompt it had.
    private func answer(
        _ engine: Engine, _ prompt: [Int32], texts: [Range<Int>], sources: Set<String> = []
    )
        async throws -> (
            tokens: [Int32], usage: GenerationUsage
        )
    {
        var request = GenerationRequest(prompt: prompt)
        var tokens: [Int32] = []
        var usage: GenerationUsage?
        request.maxTokens = 12
        request.ignoresEnd = true
        request.texts = texts
        request.sources = sources
        for try await event in try engine.generate(request) {
            switch event {
            case .token(_, let id, _, _): tokens.append(id)
            case .finished(_, let last): usage = last
            }
        }
        return (tokens, try #require(usage))
    }

    /// A prompt of texts in this order, and where they stand.
    private func prompt(_ order: [Int], question: Int) -> (tokens: [Int32], texts: [Range<Int>]) {
        var tokens = text(1, 20)
        var positions: [Range<Int>] = []
        for number in order {
            positions.append(tokens.count..<tokens.count + 40 + number)
            tokens += text(number + 5, 40 + number)
        }
        return (tokens + text(question, 12), positions)
    }

    @Test
    func
        `texts of earlier prompts are taken over at other positions, and nobody mistakes them for exact`()
        async throws
    {
        let model = try RealModel.loaded.get()
        let path = NSTemporaryDirectory() + "mneme-reuse-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let exact = try Engine(model)
        defer { exact.close() }
        var limits = Engine.Limits()
        limits.recomputeRatio = 0.15
        let first = prompt([0, 1, 2, 3], question: 40)
        let second = prompt([3, 5, 1, 2, 0], question: 41)
        do {
            let engine = try Engine(model, limits: limits, folder: KVFolder(path: path))
            defer { engine.close() }
            let one = try await answer(engine, first.tokens, texts: first.texts)
            #expect(one.usage.reusedTokens == 0)
            #expect(try await answer(exact, first.tokens, texts: []).tokens == one.tokens)
            // One text is new.
            let two = try await answer(engine, second.tokens, texts: second.texts)
            #expect(
                two.usage.reusedTokens == 166 && two.usage.cachedTokens >= 166
                    && two.tokens.count == 12)
            // Without texts the answer is exact: nothing of the last was kept as a beginning.
            let three = try await answer(engine, second.tokens, texts: [])
            #expect(three.usage.reusedTokens == 0 && three.usage.cachedTokens < 60)
            #expect(try await answer(exact, second.tokens, texts: []).tokens == three.tokens)
        }
        // After a restart, from disk; the text that was new then is known, too.
        let third = prompt([5, 2, 3, 0], question: 42)
        let again = try Engine(model, limits: limits, folder: KVFolder(path: path))
        defer { again.close() }
        #expect(try await answer(again, third.tokens, texts: third.texts).usage.reusedTokens == 170)
        // All computed again is as good as anew.
        limits.recomputeRatio = 1
        let whole = try Engine(model, limits: limits, folder: KVFolder(path: path))
        defer { whole.close() }
        let fourth = prompt([2, 0, 5, 1], question: 43)
        let four = try await answer(whole, fourth.tokens, texts: fourth.texts)
        #expect(four.usage.reusedTokens == 168)
        #expect(try await answer(exact, fourth.tokens, texts: []).tokens == four.tokens)
        await #expect(throws: EngineError.self) {
            try await answer(whole, fourth.tokens, texts: [10..<900])
        }
    }

    @Test func `while texts are moved others go on, and who goes away leaves nothing behind`()
        async throws
    {
        let model = try RealModel.loaded.get()
        var limits = Engine.Limits()
        limits.recomputeRatio = 0.5
        let engine = try Engine(model, limits: limits)
        let exact = try Engine(model)
        defer {
            engine.close()
            exact.close()
        }
        let first = prompt(Array(0..<24), question: 40)
        let second = prompt(Array(0..<24).reversed(), question: 41)
        let alone = text(77, 30)
        _ = try await answer(engine, first.tokens, texts: first.texts)
        let expected = try await answer(exact, alone, texts: []).tokens
        try await withThrowingTaskGroup(of: Void.self) { group in
            for i in 0..<12 {
                group.addTask {
                    if i % 3 == 0 {
                        let other = try await answer(engine, alone, texts: []).tokens
                        #expect(other == expected)
                    } else if i % 3 == 1 {
                        let moved = try await answer(engine, second.tokens, texts: second.texts)
                        #expect(moved.usage.reusedTokens > 1000 && moved.tokens.count == 12)
                    } else {
                        var request = GenerationRequest(prompt: second.tokens)
                        request.texts = second.texts
                        let stream = try engine.generate(request)
                        let task = Task { for try await _ in stream {} }
                        try await Task.sleep(for: .milliseconds(i * 15))
                        task.cancel()
                        _ = try? await task.value
                    }
                }
            }
            try await group.waitForAll()
        }
        let last = try await answer(engine, second.tokens, texts: [])
        #expect(try await answer(exact, second.tokens, texts: []).tokens == last.tokens)
    }

    @Test
    func `texts shorter than a block are kept on disk, too, and ordinary prompts do not find them`()
        async throws
    {
        let model = try RealModel.loaded.get()
        let path = NSTemporaryDirectory() + "mneme-reuse-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var limits = Engine.Limits()
        limits.recomputeRatio = 0.15
        let notes = [text(3, 18), text(4, 25), text(6, 30)]
        let start = text(1, 20)
        func prompt(_ order: [Int], question: Int) -> (tokens: [Int32], texts: [Range<Int>]) {
            var tokens = start
            var positions: [Range<Int>] = []
            for number in order {
                positions.append(tokens.count..<tokens.count + notes[number].count)
                tokens += notes[number]
            }
            return (tokens + text(question, 12), positions)
        }
        do {
            let engine = try Engine(model, limits: limits, folder: KVFolder(path: path))
            let first = prompt([0, 1, 2], question: 40)
            defer { engine.close() }
            _ = try await answer(engine, first.tokens, texts: first.texts)
        }
        let again = try Engine(model, limits: limits, folder: KVFolder(path: path))
        let second = prompt([2, 1, 0], question: 41)
        defer { again.close() }
        #expect(
            try await answer(again, second.tokens, texts: second.texts).usage.reusedTokens == 73)
        // The same words as a prompt of their own find nothing of it.
        #expect(try await answer(again, notes[0] + text(42, 10), texts: []).usage.cachedTokens == 0)
    }

    @Test func `what an erased memory was in is not taken over`() async throws {
        let model = try RealModel.loaded.get()
        var limits = Engine.Limits()
        limits.recomputeRatio = 0.15
        let engine = try Engine(model, limits: limits)
        defer { engine.close() }
        let first = prompt([0, 1, 2], question: 40)
        let second = prompt([2, 1, 0], question: 41)
        _ = try await answer(engine, first.tokens, texts: first.texts, sources: ["m1"])
        #expect(
            try await answer(engine, second.tokens, texts: second.texts, sources: ["m1"]).usage
                .reusedTokens == 123)
        try engine.erase(sources: ["m1"])
        #expect(
            try await answer(engine, second.tokens, texts: second.texts).usage.reusedTokens == 0)
        #expect(
            engine.statistics.kv.bytes == engine.statistics.kv.idleBytes,
            "nothing is held by nobody")
    }

    @Test func `a prompt with texts has the same words as one without`() throws {
        let model = try RealModel.loaded.get()
        let messages = [
            ChatMessage(role: "system", content: "Be brief."),
            ChatMessage(role: "user", content: ""),
        ]
        let lines = ["- [2024-01-02] Ana: I moved to Lisbon.\n", "- Tom <|im_end|> sold it.\n"]
        let prompt = try model.tokens(
            of: messages, at: 1, before: "Notes:\n", texts: lines, after: "\nWhere does Ana live?")
        var whole = messages
        whole[1].content = "Notes:\n" + lines.joined() + "\nWhere does Ana live?"
        let plain = try model.tokens(of: whole)
        #expect(model.tokenizer.decode(prompt.tokens) == model.tokenizer.decode(plain))
        #expect(prompt.texts.map { model.tokenizer.decode(Array(prompt.tokens[$0])) } == lines)
        // The name of a special token in a memory is text.
        #expect(
            prompt.tokens.count { model.tokenizer.endTokens.contains($0) }
                == plain.count { model.tokenizer.endTokens.contains($0) })
    }
}
