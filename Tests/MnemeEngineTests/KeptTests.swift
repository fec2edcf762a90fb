import Foundation
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// Blocks that are kept of earlier requests change nothing but the time.
@Suite(
    .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
    .serialized)
struct KeptTests {
    private struct Answer: Equatable {
        var tokens: [Int32] = []
        var probabilities: [Double] = []
    }

    private func answer(_ engine: Engine, _ request: GenerationRequest) async throws -> (
        Answer, GenerationUsage
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

    private func request(_ prompt: [Int32], _ tokens: Int = 12) -> GenerationRequest {
        var request = GenerationRequest(prompt: prompt)
        request.maxTokens = tokens
        request.alternatives = 0
        request.ignoresEnd = true
        return request
    }

    private func text(_ seed: Int, _ count: Int) -> [Int32] {
        (0..<count).map { Int32(1000 + ($0 * $0 * 7 + $0 * seed * 31 + seed) % 40000) }
    }

    @Test func `answers are equal bit by bit, whether computed anew, found in memory or on disk`()
        async throws
    {
        let model = try RealModel.loaded.get()
        let path = NSTemporaryDirectory() + "mneme-kept-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let first = text(1, 700)
        let second = first + text(2, 75)
        let third = Array(first.prefix(333)) + text(3, 50)
        var expected: [Answer] = []
        for prompt in [first, second, third] {
            let engine = try Engine(model)
            defer { engine.close() }
            let (answer, usage) = try await answer(engine, request(prompt))
            #expect(usage.cachedTokens == 0)
            expected.append(answer)
        }
        let engine = try Engine(model, folder: KVFolder(path: path))
        for (i, (prompt, known)) in [
            (first, 0), (first, 699), (second, 700), (third, 333), (third, 382),
        ].enumerated() {
            let (answer, usage) = try await answer(engine, request(prompt))
            #expect(answer == expected[[0, 0, 1, 2, 2][i]] && usage.cachedTokens == known)
        }
        // The next turn of a talk begins with the answer, which was computed token by token.
        let talk = first + expected[0].tokens
        let (again, usage) = try await answer(engine, request(talk))
        #expect(usage.cachedTokens >= 711)
        engine.close()
        #expect(engine.statistics.kv.written > 20)
        let fresh = try Engine(model)
        #expect(try await answer(fresh, request(talk)).0 == again)
        fresh.close()
        let other = try Engine(model, folder: KVFolder(path: path))
        defer { other.close() }
        for (i, (prompt, least)) in [(second, 700), (first, 672), (third, 352)].enumerated() {
            let (answer, usage) = try await answer(other, request(prompt))
            #expect(
                answer == expected[[1, 0, 2][i]] && usage.cachedTokens >= least,
                "\(usage.cachedTokens)")
        }
        #expect(other.statistics.kv.tokensFromDisk > 700)
    }

    @Test func `where memory ends sequences are put back, and all answers are right`() async throws {
        let model = try RealModel.loaded.get()
        let prompts = (0..<6).map { text($0 + 10, 120 + 13 * $0) }
        var expected: [Answer] = []
        let roomy = try Engine(model)
        for prompt in prompts { expected.append(try await answer(roomy, request(prompt, 70)).0) }
        roomy.close()
        var limits = Engine.Limits()
        limits.kvBytes = 20 * KVShape(model.decoder.configuration).blockBytes
        let engine = try Engine(model, limits: limits)
        defer { engine.close() }
        try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for (i, prompt) in prompts.enumerated() {
                group.addTask { (i, try await answer(engine, request(prompt, 70)).0) }
            }
            for try await (i, answer) in group { #expect(answer == expected[i]) }
        }
        let statistics = engine.statistics
        #expect(statistics.preempted > 0 && statistics.kv.bytes <= statistics.kv.limit)
        #expect(throws: EngineError.self) { try engine.generate(request(text(99, 600), 100)) }
    }

    @Test func `with the memories in a prompt what was computed of it goes`() async throws {
        let model = try RealModel.loaded.get()
        let path = NSTemporaryDirectory() + "mneme-kept-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let engine = try Engine(model, folder: KVFolder(path: path))
        defer { engine.close() }
        var private_ = request(text(5, 200))
        private_.sources = ["memory"]
        _ = try await answer(engine, private_)
        #expect(try await answer(engine, private_).1.cachedTokens == 199)
        try engine.erase(sources: ["memory"])
        #expect(try KVFolder(path: path).entries().isEmpty)
        #expect(try await answer(engine, private_).1.cachedTokens == 0)
    }

    @Test
    func
        `a saved prefix is found after a restart, by its readers alone, and is not trimmed`()
        async throws
    {
        let model = try RealModel.loaded.get()
        let path = NSTemporaryDirectory() + "mneme-kept-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let beginning = text(4, 203)
        let prompt = beginning + text(5, 40)
        var engine = try Engine(model)
        let expected = try await answer(engine, request(prompt)).0
        let nowhere = try await engine.keep(beginning)
        #expect(nowhere == nil, "there is no folder")
        engine.close()
        let folder = try KVFolder(path: path)
        engine = try Engine(model, folder: folder)
        let kept = try #require(
            try await engine.keep(beginning, scope: "ana", sources: ["m1", "m2"]))
        let short = try await engine.keep(text(6, 31))
        #expect(kept.tokens == 192 && kept.bytes > 192 * 1_000 && short == nil)
        let written = engine.statistics.kv.written
        let again = try await engine.keep(beginning, scope: "ana", sources: ["m1", "m2"])
        #expect(
            again?.end == kept.end && engine.statistics.kv.written == written,
            "what is there is not computed again")
        engine.close()
        folder.trim(to: 0)
        #expect(
            folder.entries().count == 6
                && folder.entries().allSatisfy { $0.isPinned && $0.sources == ["m1", "m2"] })
        engine = try Engine(model, folder: folder)
        var asked = request(prompt)
        asked.scope = "ana"
        let (found, usage) = try await answer(engine, asked)
        let (_, other) = try await answer(engine, request(prompt))
        #expect(found == expected && usage.cachedTokens == 192 && other.cachedTokens == 0)
        try engine.release(kept.end)
        try engine.release(kept.end)
        #expect(folder.entries().allSatisfy { !$0.isPinned })
        try engine.erase(sources: ["m2"])
        #expect(!folder.entries().contains { $0.sources.contains("m2") })
        try engine.release(kept.end)
        engine.close()
        await #expect(throws: EngineError.self) { _ = try await engine.keep(text(7, 64)) }
    }

    @Test func `erasing a kept text of which a block is missing says that some may be left`()
        async throws
    {
        let model = try RealModel.loaded.get()
        let path = NSTemporaryDirectory() + "mneme-kept-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try KVFolder(path: path)
        var engine = try Engine(model, folder: folder)
        let kept = try #require(try await engine.keep(text(8, 128)))
        engine.close()
        let chain = try folder.chain(kept.end)
        #expect(chain.count == 4)
        try folder.remove(chain[1])
        engine = try Engine(model, folder: folder)
        defer { engine.close() }
        let error = #expect(throws: KVError.self) { try engine.erase(sources: [], texts: [kept.end]) }
        #expect(error?.code == .damaged && error?.message.contains("may be left") == true)
        #expect(folder.count(of: [chain[2]]) == 0 && folder.count(of: [chain[3]]) == 0)
        // What is not there need not be erased.
        try engine.erase(sources: [], texts: [kept.end])
    }

    @Test func `what sequences share is read once for all, and changes nothing`() async throws {
        let model = try RealModel.loaded.get()
        let shared = text(7, 1100)
        var expected: [Answer] = []
        for i in 0..<5 {
            let engine = try Engine(model)
            defer { engine.close() }
            expected.append(try await answer(engine, request(shared + text(20 + i, 10 + i), 24)).0)
        }
        let engine = try Engine(model)
        defer { engine.close() }
        _ = try await answer(engine, request(shared, 1))
        let before = model.decoder.attentionBytes
        try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for i in 0..<5 {
                group.addTask {
                    (i, try await answer(engine, request(shared + text(20 + i, 10 + i), 24)).0)
                }
            }
            for try await (i, answer) in group { #expect(answer == expected[i]) }
        }
        let after = model.decoder.attentionBytes
        #expect(
            after.read - before.read < (after.alone - before.alone) / 4 * 3,
            "\(after.read - before.read) of \(after.alone - before.alone) bytes")
    }
}
