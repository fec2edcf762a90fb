import Foundation
import MnemeBase
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// Keys and values on disk, two groups of heads in memory (HeadInfer).
@Suite struct HeadwiseTests {
    /// Calls `body` with each tiny model: of several families, with windows, grouped and single heads.
    private func withDecoders(_ body: (TransformerDecoder, String) throws -> Void) throws {
        for model in DecoderTests.models {
            let path = try DecoderTests.folder(model)
            defer { try? FileManager.default.removeItem(atPath: path) }
            try body(
                TransformerDecoder(
                    ModelFolder(path: path, context: model.context), stepTokens: 24, stepLogits: 1), model.name)
        }
    }

    private func logits(_ cache: HeadwiseCache, _ tokens: [Int32], _ size: Int) throws -> [Float] {
        var out = [Float](repeating: 0, count: size)
        try out.withUnsafeMutableBufferPointer { try cache.feed(tokens, logits: $0.baseAddress!) }
        return out
    }

    @Test(arguments: [1, 2, 3, 64])
    func `logits are the bits of a run with all rows in memory, and memory is the formula's`(group: Int) throws {
        var random = SplitMix64(seed: UInt64(group))
        try withDecoders { decoder, name in
            let c = decoder.configuration
            let total = 150
            let whole = Cache(c, positions: total)
            let cache = try HeadwiseCache(decoder, groupHeads: group, positions: total)
            var position = 0
            // Prompts of any length, also over several steps, and single tokens between them.
            while position < total {
                let count = min(total - position, random.unit() < 0.5 ? 1 : 1 + Int(random.unit() * 60))
                let tokens = (0..<count).map { _ in Int32(random.unit() * Double(c.vocabularySize)) }
                var expected: [Float] = []
                for start in stride(from: 0, to: count, by: decoder.stepTokens) {
                    let part = Array(tokens[start..<min(count, start + decoder.stepTokens)])
                    expected = decoder.logits(part, at: position + start, in: whole, rows: 1)[0]
                }
                let found = try logits(cache, tokens, c.vocabularySize)
                position += count
                let isEqual = found.map(\.bitPattern) == expected.map(\.bitPattern)
                #expect(isEqual, "\(name) at \(position), groups of \(group)")
                #expect(cache.count == position)
                #expect(
                    cache.residentBytes == HeadwiseCache.residentBytes(c, groupHeads: group, tokens: position),
                    "\(name) at \(position), groups of \(group)")
            }
            #expect(cache.transferred.written > 0)
        }
    }

    @Test func `memory does not grow with layers`() throws {
        let path = try DecoderTests.folder(try #require(DecoderTests.models.first))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let tiny = try ModelFolder(path: path).configuration
        func bytes(layers: Int, group: Int) -> Int {
            var c = tiny
            (c.layers, c.kvHeads, c.headDimension) = (layers, 5, 64)
            return HeadwiseCache.residentBytes(c, groupHeads: group, tokens: 4096)
        }
        // 4,096 rows of keys and values of 64 halves, twice.
        #expect(bytes(layers: 4, group: 1) == 2 * 4096 * 2 * 64 * 2)
        #expect(bytes(layers: 64, group: 1) == bytes(layers: 4, group: 1))
        // Five heads by four or three: one slot has the first ones of each layer, the other the rest.
        #expect(2 * bytes(layers: 4, group: 4) == 5 * bytes(layers: 4, group: 1))
        #expect(bytes(layers: 4, group: 3) == 5 * 4096 * 2 * 64 * 2)
    }

    @Test func `what is on disk is read again for each token`() throws {
        try withDecoders { decoder, _ in
            let c = decoder.configuration
            let cache = try HeadwiseCache(decoder, groupHeads: 1, positions: 96)
            guard c.layers * c.kvHeads > 2 else { return }
            _ = try logits(cache, [1, 2, 3], c.vocabularySize)
            let before = cache.transferred
            _ = try logits(cache, [4], c.vocabularySize)
            // One page of 32 rows of each head is written back, and read for this token or the next.
            let pages = c.layers * c.kvHeads * 4 * 32 * c.headDimension
            #expect(cache.transferred.read == before.read + pages)
            #expect(cache.transferred.written == before.written + pages)
        }
    }

    @Test func `more tokens than there is room for are refused, and a failing disk is said`() throws {
        try withDecoders { decoder, _ in
            let c = decoder.configuration
            let cache = try HeadwiseCache(decoder, groupHeads: 1, positions: 8)
            _ = try logits(cache, [1, 2, 3, 4], c.vocabularySize)
            #expect(throws: KVError.self) { try logits(cache, [1, 2, 3, 4, 5], c.vocabularySize) }
            guard c.layers * c.kvHeads > 2 else { return }
            cache.damage()
            let error = #expect(throws: KVError.self) {
                for _ in 0..<2 { _ = try logits(cache, [1], c.vocabularySize) }
            }
            #expect(error?.code == .inputOutput)
        }
    }
}
