import Foundation
import MnemeBench
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// `mneme kv eval`: what is measured, and how it is kept between runs.
@Suite(
    .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
    .serialized)
struct KVEvaluationTests {
    private static let tokens = (0..<700).map { (i: Int) -> Int32 in
        Int32(1000 + (i * i * 13 + i * 51) % 4000)
    }

    private func settings() -> KVPolicyBenchmark.Settings {
        var settings = KVPolicyBenchmark.Settings()
        (settings.context, settings.tail, settings.windows, settings.needles) = (256, 4, 2, 1)
        settings.depths = [0.5]
        return settings
    }

    private func rows(
        _ names: [String], _ file: String?, _ settings: KVPolicyBenchmark.Settings,
        _ progress: (Int, Int, Int) -> Void = { _, _, _ in }
    ) throws -> [KVPolicyBenchmark.Row] {
        try KVPolicyBenchmark.run(
            try RealModel.loaded.get(), tokens: Self.tokens,
            subjects: try names.map { try KVPolicyBenchmark.Subject($0) }, budgets: [0.5],
            settings: settings, results: file, source: "text", progress: progress)
    }

    @Test func `rows are compared with all rows, and a later run measures only what is missing`()
        throws
    {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("\(UUID().uuidString).jsonl").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        let first = try rows(["snapkv", "int8"], file, settings())
        #expect(first.map(\.policy) == ["full", "snapkv", "int8"])
        #expect(first[0].divergence < 1e-6 && first[0].agreement == 1)
        #expect(first[1].divergence > 0 && first[2].divergence < 0.02)
        // A prompt of 256 rows, of which half are kept, and of which all but the first page are codes.
        let whole = first[0].bytes
        #expect(first[1].bytes == whole / 2)
        #expect(Double(first[2].bytes) < 0.62 * Double(whole))
        #expect(first[0].peakBytes == 2 * whole, "the prompt's rows are there while they are copied")
        #expect(first.allSatisfy { $0.needles.count == 1 && $0.tokensPerSecond > 0 })
        // What is there stays, to the last digit of its speed; a line that was cut is measured anew.
        let data = try #require(FileManager.default.contents(atPath: file))
        try data.dropLast(20).write(to: URL(fileURLWithPath: file))
        var done: [Int] = []
        var before = 0
        let second = try rows(["snapkv", "int8", "window"], file, settings()) {
            done.append($0)
            before = $2
        }
        #expect(before == 3 * 4 - 1 && done.last == 4 * 4 && done.count == 5)
        #expect(second.prefix(3).map(\.tokensPerSecond) == first.map(\.tokensPerSecond))
        #expect(second.last?.policy == "window")
        let table = KVPolicyBenchmark.markdown(second, depths: [0.5])
        #expect(table.split(separator: "\n").count == 2 + 4 && table.contains("| at 50 % |"))
        var other = settings()
        other.tail = 5
        #expect(throws: EngineError.self) { try rows(["snapkv"], file, other) }
        try Data("no measurements\n".utf8).write(to: URL(fileURLWithPath: file))
        #expect(throws: EngineError.self) { try rows(["snapkv"], file, settings()) }
    }

    @Test func `summaries are compared with those from all rows, and rounds of conversations are asked for`()
        throws
    {
        var settings = settings()
        (settings.summaries, settings.chats, settings.needles) = (1, 2, 0)
        let rows = try self.rows(["window", "int8"], nil, settings)
        #expect(rows[0].summary == 1, "the full cache is what others are compared with")
        #expect(rows.allSatisfy { (0...1).contains($0.summary ?? -1) && (0...1).contains($0.chat ?? -1) })
        #expect((rows[2].summary ?? 0) >= (rows[1].summary ?? 1))
        #expect(KVPolicyBenchmark.markdown(rows, depths: []).contains("| summary | chat |"))
        let plain = try self.rows(["window"], nil, self.settings())
        #expect(plain.allSatisfy { $0.summary == nil && $0.chat == nil })
        #expect(!KVPolicyBenchmark.markdown(plain, depths: []).contains("summary"))
    }

    @Test func `what does not go together is passed over, and said, or refused`() throws {
        let names = ["onebit+int8", "elastic+int8", "snapkv+int8"]
        #expect(throws: KVError.self) { try self.rows(names, nil, settings()) }
        var told: [String] = []
        let rows = try KVPolicyBenchmark.run(
            try RealModel.loaded.get(), tokens: Self.tokens,
            subjects: try names.map { try KVPolicyBenchmark.Subject($0) }, budgets: [0.5],
            settings: settings(), passOver: { name, why in told.append(name + (why.isEmpty ? "?" : "")) })
        #expect(told == ["onebit+int8", "elastic+int8"])
        #expect(rows.map(\.policy) == ["full", "snapkv+int8"])
    }

    @Test func `a prompt that is computed once for all gives each policy what it takes alone`() throws {
        let decoder = try RealModel.loaded.get().decoder
        let names = ["snapkv", "h2o", "streamingllm", "pagedeviction"]
        let policies = try names.map {
            try PolicyCatalog.policy($0, for: decoder, sample: [], budget: 64)
        }
        let tokens = Array(Self.tokens.prefix(301))
        let together = try ExactPrompt(decoder, tokens, needs: policies.map(\.attention))
        for policy in policies {
            func kept(_ prompt: ExactPrompt) throws -> [[Int32]] {
                let cache = try CompressedCache(decoder, policy, budget: 64, positions: 400)
                try cache.take(prompt)
                let c = decoder.configuration
                return (0..<c.layers).flatMap { layer in
                    (0..<c.kvHeads).map { cache.rows(layer, $0).positions }
                }
            }
            let alone = try ExactPrompt(decoder, tokens, needs: [policy.attention])
            #expect(try kept(together) == kept(alone), "\(policy.name)")
            #expect(together.logits == alone.logits)
        }
    }

    @Test func `budgets, depths and lengths that make no sense are refused`() throws {
        for change: (inout KVPolicyBenchmark.Settings) -> Void in [
            { $0.depths = [1.5] }, { $0.context = 100 }, { $0.context = 698 }, { $0.tail = 0 },
        ] {
            var settings = settings()
            change(&settings)
            #expect(throws: EngineError.self) { try rows(["int8"], nil, settings) }
        }
        #expect(throws: EngineError.self) { try KVPolicyBenchmark.Subject("snapkv+int9") }
    }
}
