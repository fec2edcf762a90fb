import Foundation
import MnemeBench
import MnemeModels
import Testing

/// Tokens of a text in other words, found in what it was before.
@Suite struct SimilarTokensTests {
    private func with(_ body: (inout SimilarTokens, [Int32]) throws -> Void) throws {
        let model = try #require(DecoderTests.models.first)
        let path = try DecoderTests.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try TransformerDecoder(ModelFolder(path: path, context: model.context))
        var similar = SimilarTokens(decoder)
        let size = Int32(decoder.configuration.vocabularySize)
        try body(&similar, (0..<400).map { Int32($0 * 31 + $0 * $0 / 7) % size })
    }

    @Test func `the same text is one run, at its place`() throws {
        try with { similar, text in
            let runs = similar.runs(text[100...], in: text)
            // It looks from the same position on.
            #expect(runs.map(\.range) == [100..<400] && runs.map(\.source) == [100])
        }
    }

    @Test func `runs are in order, apart, alike, and cover what was left as it is`() throws {
        try with { similar, text in
            for seed in 1...5 {
                let earlier = similar.reworded(text, share: 0.2, seed: UInt64(seed))
                #expect(earlier != text && abs(earlier.count - text.count) < 60)
                let runs = similar.runs(text[...], in: earlier)
                var (end, same) = (0, 0)
                for run in runs {
                    #expect(run.range.lowerBound >= end)
                    end = run.range.upperBound
                    for (i, token) in zip(run.source..., text[run.range]) {
                        #expect(similar.cosine(token, earlier[i]) >= 0.4)
                        if earlier[i] == token { same += 1 }
                    }
                }
                #expect(end <= text.count && same > text.count * 7 / 10)
            }
        }
    }

    @Test func `nothing is alike in nothing`() throws {
        try with { similar, text in
            #expect(similar.runs([], in: text).isEmpty && similar.runs(text[...], in: []).isEmpty)
        }
    }
}
