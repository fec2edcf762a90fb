import Foundation
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// Answers from a part of the KV cache.
@Suite struct CompressedAnswerTests {
    private struct Answer: Equatable {
        var tokens: [Int32] = []
        var probabilities: [Double] = []
    }

    private func answer(_ engine: Engine, _ request: GenerationRequest) async throws -> (
        answer: Answer, usage: GenerationUsage
    ) {
        var answer = Answer()
        for try await event in try engine.generate(request) {
            switch event {
            case .token(_, let id, let probability, _):
                answer.tokens.append(id)
                answer.probabilities.append(try #require(probability))
            case .finished(_, let usage): return (answer, usage)
            }
        }
        throw CancellationError()
    }

    private func request(
        _ seed: Int, _ count: Int, tokens: Int = 40, _ policy: String? = nil, budget: Double = 96,
        type: KVCodec = .f16
    ) -> GenerationRequest {
        var request = GenerationRequest(
            prompt: (0..<count).map { Int32(($0 * $0 * 7 + $0 * seed * 31 + seed) % 90) })
        request.maxTokens = tokens
        request.alternatives = 0
        request.ignoresEnd = true
        request.kv = policy.map { KVCompression(policy: $0, budget: budget, type: type) }
        return request
    }

    /// The answer from a policy's own cache, token by token, and the rows that it keeps.
    private func expected(_ model: LanguageModel, _ request: GenerationRequest) throws -> (
        tokens: [Int32], rows: Double
    ) {
        let kv = try #require(request.kv)
        let decoder = model.decoder
        let policy = try PolicyCatalog.policy(
            kv.policy, for: decoder, sample: PolicySample(tokenizer: model.tokenizer), budget: 0)
        let prompt = try ExactPrompt(decoder, request.prompt, needs: [policy.attention])
        let cache = try CompressedCache(
            decoder, policy, budget: Int(kv.budget), positions: request.prompt.count + 64,
            codec: kv.type)
        try cache.take(prompt)
        var logits = prompt.logits
        var answer: [Int32] = []
        while true {
            let best = logits.indices.max { (logits[$0], -$0) < (logits[$1], -$1) }
            answer.append(Int32(try #require(best)))
            if answer.count == request.maxTokens { return (answer, cache.rowsPerHead) }
            try logits.withUnsafeMutableBufferPointer {
                try cache.feed([answer[answer.count - 1]], endsPrompt: false, logits: $0.baseAddress!)
            }
        }
    }

    @Test(arguments: KVCompression.policies.dropFirst(), [KVCodec.f16, .int8])
    func `an answer is the one that the policy's own cache gives`(policy: String, type: KVCodec)
        async throws
    {
        try await TinyModel.with { model, engine in
            let request = request(3, 301, policy, type: type)
            if ["subgen", "elastic", "onebit"].contains(policy), type != .f16 {
                // They merge, or have codes of their own: codes would be made anew again and again.
                #expect(throws: EngineError.self) { try engine.generate(request) }
                return
            }
            let (tokens, rows) = try expected(model, request)
            let (answer, usage) = try await answer(engine, request)
            #expect(answer.tokens == tokens)
            let kept = try #require(usage.kept)
            #expect(kept.tokens == rows && kept.policy == policy && kept.type == type)
            if PolicyCatalog.selectors.contains(policy) {
                // Nothing is lost; the first two layers of quest read all, and the model has no more.
                #expect(kept.tokens == 301 + 39 && kept.readBytes > 0)
                #expect(policy == "quest" || kept.readBytes < kept.bytes * 2 / 3)
            } else if PolicyCatalog.codings.contains(policy) {
                #expect(kept.tokens == 301 + 39)
            } else {
                #expect(kept.tokens < 96 + 41 + 32 && kept.readBytes <= kept.bytes)
            }
            #expect(engine.statistics.compressed == 1)
        }
    }

    @Test func `exact requests beside compressed ones keep their bits`() async throws {
        try await TinyModel.with { _, engine in
            let exact = (0..<4).map { request($0, 100 + 60 * $0) }
            let policies = ["snapkv", "h2o", "streamingllm", "shadowkv", "cake", "d2o"]
            let compressed = (0..<12).map {
                request(
                    $0, 120 + 25 * $0, policies[$0 % policies.count], type: $0 < 6 ? .f16 : .int8)
            }
            var alone: [Answer] = []
            for request in exact + compressed { alone.append(try await answer(engine, request).answer) }
            let together = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
                for (i, request) in (exact + compressed).enumerated() {
                    group.addTask { (i, try await answer(engine, request).answer) }
                }
                return try await group.reduce(into: [Int: Answer]()) { $0[$1.0] = $1.1 }
            }
            for (i, answer) in alone.enumerated() { #expect(together[i] == answer, "\(i)") }
        }
    }

    @Test func `prompts are shared whichever way they are answered`() async throws {
        try await TinyModel.with { _, engine in
            let (exact, first) = try await answer(engine, request(5, 400))
            #expect(first.cachedTokens == 0 && first.kept == nil)
            let (short, second) = try await answer(engine, request(5, 400, "snapkv"))
            // The window's attention is computed anew.
            #expect(second.cachedTokens >= 300 && second.cachedTokens <= 400 - 32)
            let (again, third) = try await answer(engine, request(5, 400, "snapkv"))
            #expect(short == again && third.kept == second.kept)
            // Attention of all tokens is nowhere kept.
            let (_, fourth) = try await answer(engine, request(5, 400, "h2o"))
            #expect(fourth.cachedTokens == 0)
            let (last, fifth) = try await answer(engine, request(5, 400))
            #expect(last == exact && fifth.cachedTokens > 300)
        }
    }

    @Test(arguments: [KVCodec.f16, .int8])
    func `sequences that are put back answer the same, and memory is never exceeded`(type: KVCodec)
        async throws
    {
        try await TinyModel.with(blocks: 40) { _, engine in
            let policies = ["snapkv", "h2o", "shadowkv", "random", "taskkv", "fastgen"]
            let requests = (0..<8).map {
                request(
                    $0, 200 + 20 * $0, tokens: 150, policies[$0 % policies.count], type: type)
            }
            var alone: [Answer] = []
            for request in requests { alone.append(try await answer(engine, request).answer) }
            let together = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
                for (i, request) in requests.enumerated() {
                    group.addTask { (i, try await answer(engine, request).answer) }
                }
                return try await group.reduce(into: [Int: Answer]()) { $0[$1.0] = $1.1 }
            }
            for (i, answer) in alone.enumerated() { #expect(together[i] == answer, "\(i)") }
            // The last sequence is let go after its answer has ended.
            for _ in 0..<500 where engine.statistics.kv.idleBytes != engine.statistics.kv.bytes {
                try await Task.sleep(for: .milliseconds(10))
            }
            let kv = engine.statistics.kv
            #expect(kv.bytes <= kv.limit)
            // Nothing is left of those that ended but what is cached.
            #expect(kv.idleBytes == kv.bytes)
        }
    }

    @Test func `int8 rows take about half of the bytes`() async throws {
        try await TinyModel.with { _, engine in
            func bytes(_ type: KVCodec) async throws -> Double {
                Double(
                    try await answer(
                        engine, request(1, 2000, tokens: 2, "snapkv", budget: 1500, type: type)
                    ).usage.kept?.bytes ?? 0)
            }
            // Heads of 16 elements: scales are a larger part than those of 64 are.
            let coded = try await bytes(.int8)
            let halves = try await bytes(.f16)
            #expect(coded < 0.65 * halves)
        }
        let page = 4 * KVShape.blockTokens
        for dimension in [64, 80, 128, 256] {
            let halves = Double(page * dimension)
            #expect(Double(KVCodec.int8.pageBytes(dimension: dimension)) <= 0.55 * halves)
            if dimension % 32 == 0 {
                #expect(Double(KVCodec.int4.pageBytes(dimension: dimension)) <= 0.3126 * halves)
            }
        }
    }

    @Test(arguments: [KVCodec.f16, .int8])
    func `a stream goes on past the context at constant bytes`(type: KVCodec) async throws {
        try await TinyModel.with(context: 256) { _, engine in
            // Both the prompt and the answer are longer than the context.
            var kept: [KeptRows] = []
            for tokens in [300, 1300] {
                let request = request(2, 700, tokens: tokens, "streamingllm", budget: 128, type: type)
                let (answer, usage) = try await answer(engine, request)
                #expect(answer.tokens.count == tokens)
                #expect(!answer.probabilities.contains { !$0.isFinite })
                kept.append(try #require(usage.kept))
            }
            #expect(kept[0].tokens <= 128 + 16 && kept[1].bytes <= kept[0].bytes + 8192)
            #expect(throws: EngineError.self) { try engine.generate(request(2, 700, "snapkv")) }
            #expect(throws: EngineError.self) { try engine.generate(request(2, 700)) }
        }
    }

    @Test func `what there is not is refused`() async throws {
        try await TinyModel.with { _, engine in
            for kv in [
                KVCompression(policy: "epicache"), KVCompression(policy: "best"),
                KVCompression(policy: "snapkv", budget: 0), KVCompression(policy: "snapkv", budget: 1.5),
                KVCompression(policy: "snapkv", budget: -1), KVCompression(policy: "snapkv", type: .int2),
                KVCompression(policy: "snapkv", budget: .nan),
            ] {
                var request = request(1, 100)
                request.kv = kv
                #expect(throws: EngineError.self) { try engine.generate(request) }
            }
        }
    }
}
