import Foundation
import MnemeModels
import Testing

/// Steps that are computed a few layers at a time.
@Suite struct PausedStepTests {
    /// Computes the layers up to `layers` of tokens from `position` on.
    private func resume(
        _ paused: PausedStep, to layers: Int, _ decoder: TransformerDecoder,
        _ tokens: ArraySlice<Int32>, _ cache: Cache
    ) {
        let segment = DecoderSegment(
            tokens: 0..<tokens.count, position: tokens.startIndex, view: cache.view, logits: 0)
        Array(tokens).withUnsafeBufferPointer { tokens in
            withUnsafePointer(to: segment) {
                decoder.resume(
                    paused, to: layers, tokens: tokens, segments: UnsafeBufferPointer(start: $0, count: 1))
            }
        }
    }

    @Test(arguments: DecoderTests.models)
    func `layers computed one after the other, with other steps between, give the same bits`(
        model: DecoderTests.Tiny
    ) throws {
        let path = try DecoderTests.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try TransformerDecoder(
            ModelFolder(path: path, context: model.context), stepTokens: 128, stepLogits: 128)
        let (c, text) = (decoder.configuration, model.tokens)
        let caches = (0..<3).map { _ in Cache(c, positions: text.count) }
        for cache in caches[..<2] { _ = decoder.logits(Array(text[..<40]), at: 0, in: cache, rows: 1) }
        _ = decoder.logits(Array(text[40..<60]), at: 40, in: caches[0], rows: 1)
        let paused = PausedStep(tokens: 20, width: c.hiddenSize)
        for layers in 1...c.layers {
            resume(paused, to: layers, decoder, text[40..<60], caches[1])
            #expect(paused.layers == layers)
            _ = decoder.logits(Array(text[..<30]), at: 0, in: caches[2], rows: 1)
        }
        // Nothing is left to do.
        resume(paused, to: c.layers, decoder, text[40..<60], caches[1])
        let next = caches[..<2].map { decoder.logits([text[60]], at: 60, in: $0, rows: 1) }
        #expect(next[0] == next[1])
    }
}
