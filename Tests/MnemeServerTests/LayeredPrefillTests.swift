import Foundation
import MnemeEngine
import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers
import Testing

/// A tier whose layers come when the test lets them.
private final class SlowTier: KVTier {
    let folder: KVFolder
    let allowed = NIOLockedValueBox(0)

    init(_ folder: KVFolder) { self.folder = folder }

    func read(_ blocks: [KVBlockPlace], by parts: KVLayerParts) -> Int {
        let layers = parts.layers.last?.upperBound ?? 0
        return folder.read(
            blocks,
            by: KVLayerParts(parts.layers.count, of: layers) { [self] layers in
                while allowed.withLockedValue({ $0 }) < layers { usleep(100) }
                parts.arrived(layers)
            })
    }
    func read(_ request: KVBlockRequest, into block: UnsafeMutableRawPointer) throws {
        try folder.read(request, into: block)
    }
    func count(of hashes: [KVHash]) -> Int { folder.count(of: hashes) }
    func write(_ block: KVBlockFile, from rows: UnsafeRawPointer, shape: KVShape) throws {
        try folder.write(block, from: rows, shape: shape)
    }
    func remove(_ hash: KVHash) throws { try folder.remove(hash) }
    func erase(sources: Set<String>) throws { try folder.erase(sources: sources) }
}

/// Prompts behind a prefix that comes layer by layer.
@Suite struct LayeredPrefillTests {
    private func tokens(_ engine: Engine, _ request: GenerationRequest) async throws -> (
        ids: [Int32], usage: GenerationUsage
    ) {
        try await tokens(engine.generate(request))
    }

    private func tokens(_ answer: AsyncThrowingStream<GenerationEvent, any Error>) async throws -> (
        ids: [Int32], usage: GenerationUsage
    ) {
        var (ids, usage) = ([Int32](), GenerationUsage())
        for try await event in answer {
            switch event {
            case .token(_, let id, _, _): ids.append(id)
            case .finished(_, let all): usage = all
            }
        }
        return (ids, usage)
    }

    private func request(_ prompt: [Int32], _ count: Int) -> GenerationRequest {
        var request = GenerationRequest(prompt: prompt)
        request.maxTokens = count
        request.ignoresEnd = true
        return request
    }

    @Test func `layers that have come are computed with, others answer meanwhile, and no bit differs`() async throws {
        try await TinyModel.with { model, plain in
            let path = FileManager.default.temporaryDirectory.appendingPathComponent(
                "mneme-layers-\(UUID().uuidString)"
            ).path
            defer { try? FileManager.default.removeItem(atPath: path) }
            let prefix = model.tokens(of: String(repeating: "The boat was blue. ", count: 20))
            let prompt = prefix + model.tokens(of: String(repeating: "And red? ", count: 6))
            let expected = try await tokens(plain, request(prompt, 12)).ids
            let first = try Engine(model, folder: KVFolder(path: path))
            _ = try await tokens(first, request(prefix, 1))
            first.close()

            let tier = SlowTier(try KVFolder(path: path))
            let work = NIOLockedValueBox<[Int: [Int]]>([:])
            var limits = Engine.Limits()
            limits.rounds = Engine.Rounds(
                begins: {},
                planned: { plan in
                    work.withLockedValue { work in
                        for each in plan.work { work[each.id, default: []].append(each.tokens) }
                    }
                })
            let engine = try Engine(model, limits: limits, remote: tier)
            defer { engine.close() }
            let asked = try engine.generate(request(prompt, 12))
            // While nothing has come, others are answered.
            let other = Array(prompt.reversed())
            let beside = try await tokens(engine, request(other, 20)).ids
            #expect(beside == (try await tokens(plain, request(other, 20)).ids))
            tier.allowed.withLockedValue { $0 = 1 }
            let again = try await tokens(engine, request(Array(other.dropFirst()), 20)).ids
            #expect(again.count == 20 && work.withLockedValue { $0[0] } == nil)
            tier.allowed.withLockedValue { $0 = 2 }
            let answer = try await tokens(asked)
            #expect(answer.ids == expected)
            let found = prefix.count / KVShape.blockTokens * KVShape.blockTokens
            #expect(answer.usage.cachedTokens == found)
            // All of the prompt but its last token was computed with the layers, as far as a step goes.
            let ahead = min(model.decoder.stepTokens, prompt.count - 1 - found)
            let planned = try #require(work.withLockedValue { $0[0] })
            #expect(planned.first == min(model.decoder.stepTokens, prompt.count - found - ahead))
            #expect(engine.statistics.kv.tokensFromRemote == found)
            // What was computed so is found by others.
            let next = try await tokens(engine, request(prompt + expected, 3))
            #expect(next.usage.cachedTokens >= prompt.count / KVShape.blockTokens * KVShape.blockTokens)
            let same = try await tokens(plain, request(prompt + expected, 3)).ids
            #expect(next.ids == same)
        }
    }
}
