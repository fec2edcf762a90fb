import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// Policies that only `mneme kv eval` has: with a part left out or replaced, and those fitted to a text.
@Suite struct EvaluatedPolicyTests {
    @Test(arguments: PolicyCatalog.variants + PolicyCatalog.fitted)
    func `a policy keeps what it says, and the model goes on`(name: String) async throws {
        try await TinyModel.with { model, _ in
            let decoder = model.decoder
            let tokens = (0..<340).map { (i: Int) -> Int32 in Int32((i * i * 7 + i * 31) % 90) }
            let sample = PolicySample(Array(tokens.suffix(120)), tokenizer: model.tokenizer)
            let policy = try PolicyCatalog.policy(name, for: decoder, sample: sample, budget: 96)
            let cache = try CompressedCache(decoder, policy, budget: 96, positions: 400)
            try cache.take(ExactPrompt(decoder, Array(tokens.prefix(300)), needs: [policy.attention]))
            var logits = [Float](repeating: .nan, count: decoder.configuration.vocabularySize)
            for token in tokens.suffix(40) {
                try logits.withUnsafeMutableBufferPointer {
                    try cache.feed([token], endsPrompt: false, logits: $0.baseAddress!)
                }
            }
            #expect(logits.allSatisfy { $0.isFinite })
            if policy.selector != nil || policy.coder != nil || policy.layers != nil {
                #expect(cache.rowsPerHead == 340)
                // Where all layers read all rows nothing is chosen.
                let chooses = (policy.selector?.wholeLayers ?? .max) < decoder.configuration.layers
                #expect(!chooses || cache.readings["hits"] != nil && cache.readings["recall"] != nil)
            } else if !["fastgen:80", "fastgen:99", "compactor:safe"].contains(name) {
                // Those keep what a text needs, whatever the budget.
                #expect(cache.rowsPerHead <= 96 + 40 + 32)
            }
            if policy.coder != nil {
                // Ends of a group as its only two levels are farther from most numbers than these are from 0.
                let most = name == "onebit:ends" ? 2.0 : 1
                #expect((cache.readings["key error"] ?? most) < most, "\(cache.readings)")
                #expect(cache.bytes < 340 * 4 * decoder.configuration.kvSize * decoder.configuration.layers)
            }
            #expect(cache.readings.values.allSatisfy { $0.isFinite && $0 >= 0 })
        }
    }
}
