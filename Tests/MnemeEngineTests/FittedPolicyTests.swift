import Foundation
import MnemeEngine
import MnemeKV
import MnemeModels
import Testing

/// Estimates of what is not read.
@Suite struct EstimateTests {
    @Test(arguments: 1...3) func `an estimate of a page is never too high, and too low by its width at most`(
        seed: UInt64
    ) {
        var random = RandomRows(seed)
        let centres = random.vectors(12)
        let keys = random.vectors(384).map { own in
            let centre = centres[random.below(12)]
            return own.indices.map { centre[$0] + 0.3 * own[$0] }
        }
        let order = RetroInfer().order(keys)
        func bounds(_ pages: [[[Float]]]) -> Float {
            var widest: Float = 0
            for page in pages {
                let mean = RetroInfer().summary(page).vectors[0]
                for query in random.vectors(4).map({ $0.map { 0.3 * $0 } }) {
                    let scores = page.map { RandomRows.dot($0, query) }
                    let exact = log(scores.reduce(0) { $0 + exp($1) } / 32)
                    let estimate = RandomRows.dot(mean, query)
                    // Hoeffding's lemma: of numbers within a width w, log mean exp is w²/8 above the mean at most.
                    let width = scores.max()! - scores.min()!
                    #expect(estimate <= exact + 1e-4 && exact <= estimate + width * width / 8 + 1e-4)
                    widest = max(widest, width)
                }
            }
            return widest
        }
        let pages = stride(from: 0, to: 384, by: 32)
        let arranged = bounds(pages.map { start in order[start..<start + 32].map { keys[$0] } })
        let asTheyCome = bounds(pages.map { Array(keys[$0..<$0 + 32]) })
        #expect(arranged < asTheyCome, "like keys in a page make estimates closer")
    }
}

/// Policies that are fitted to a text, or read one, on a real model.
@Suite(
    .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
    .serialized)
struct FittedPolicyTests {
    /// What codes of two bits lose without any prediction.
    private struct Direct: KVCoder, KVPageEncoder {
        func encoder(_ rows: KVRows) -> any KVPageEncoder { self }
        func code(_ page: inout KVCodedPage, below: () -> [KVCodedPage]) -> Int {
            let d = page.keys[0].count
            func round(_ side: KVCodec.Side, _ rows: [[Float]]) -> [[Float]] {
                var halves = (side == .keys ? rows.transposed : rows).joined().map { Float16($0).bitPattern }
                var codes = [UInt8](repeating: 0, count: KVCodec.int2.bytes(side, dimension: d))
                KVCodec.int2.encode(side, halves, dimension: d, into: &codes)
                KVCodec.int2.decode(side, codes, dimension: d, into: &halves)
                let floats = halves.map { Float(Float16(bitPattern: $0)) }
                let width = side == .keys ? 32 : d
                let result = stride(from: 0, to: floats.count, by: width).map { Array(floats[$0..<$0 + width]) }
                return side == .keys ? result.transposed : result
            }
            page.keys = round(.keys, page.keys)
            page.values = round(.values, page.values)
            return KVCodec.int2.bytes(dimension: d)
        }
    }

    private static let text = String(
        repeating: """
            The house stood at the end of a long road between two fields, and whoever came there in the evening saw \
            its windows shine from far away. Nobody knew who had built it; the oldest people of the village said that \
            it had always been there, and that its owner came once a year, in autumn, to look at the trees.\n
            """, count: 8)

    @Test func `predictions from the layer below lose less than codes alone, at the same bytes`() throws {
        let model = try RealModel.loaded.get()
        let tokens = model.tokens(of: Self.text)
        let prompt = try ExactPrompt(model.decoder, Array(tokens.suffix(160)), needs: [])
        func readings(_ policy: KVPolicy) throws -> (readings: [String: Double], bytes: Int) {
            let cache = try CompressedCache(model.decoder, policy, budget: 64, positions: 200)
            try cache.take(prompt)
            return (cache.readings, cache.bytes)
        }
        let sample = PolicySample(Array(tokens.prefix(300)))
        let aqua = try readings(PolicyCatalog.policy("aqua", for: model.decoder, sample: sample, budget: 64))
        var policy = try PolicyCatalog.policy("tokenkeys", for: model.decoder, sample: [], budget: 64)
        policy.coder = Direct()
        let direct = try readings(policy)
        #expect(aqua.bytes == direct.bytes)
        let (keys, values) = (aqua.readings["key error"] ?? 1, aqua.readings["value error"] ?? 1)
        #expect(keys < 0.8 * (direct.readings["key error"] ?? 0), "\(aqua) \(direct)")
        #expect(values < (direct.readings["value error"] ?? 0), "\(aqua) \(direct)")
        // Without a sample there is nothing to fit.
        #expect(throws: KVError.self) {
            try PolicyCatalog.policy("aqua", for: model.decoder, sample: [], budget: 64)
        }
        // Its codes are its own.
        let fitted = try PolicyCatalog.policy(
            "blockfloat", for: model.decoder, sample: PolicySample(Array(tokens.prefix(64))), budget: 64)
        #expect(throws: KVError.self) {
            try CompressedCache(model.decoder, fitted, budget: 64, positions: 200, codec: .int8)
        }
    }

    @Test func `trained heads keep more of what later tokens attend to than chance does`() throws {
        let model = try RealModel.loaded.get()
        let tokens = model.tokens(of: Self.text)
        let sample = PolicySample(Array(tokens.prefix(300)))
        let prompt = try ExactPrompt(model.decoder, Array(tokens.suffix(200)), needs: [.all])
        var all = KVPolicy("all", trigger: .promptEnd, scorer: H2O())
        all.allocator = PyramidBudget(last: 1)
        let whole = try CompressedCache(model.decoder, all, budget: 200, positions: 210)
        try whole.take(prompt)
        func kept(_ name: String) throws -> Double {
            let policy = try PolicyCatalog.policy(name, for: model.decoder, sample: sample, budget: 64)
            let c = model.decoder.configuration
            var (mass, sum) = (0.0, 0.0)
            for layer in 0..<c.layers {
                for head in 0..<c.kvHeads {
                    let rows = whole.rows(layer, head)
                    let scores = policy.scorer.scores(rows)
                    let best = RandomRows.best(scores, 64)
                    // Beside the first and the last rows, which both keep or all attend to.
                    for row in 4..<160 {
                        sum += Double(rows.attention[row])
                        if best.contains(row) { mass += Double(rows.attention[row]) }
                    }
                }
            }
            return mass / sum
        }
        let (trained, chance) = (try kept("locret"), try kept("random"))
        #expect(trained > 1.3 * chance, "\(trained) \(chance)")
    }

    @Test func `finished subtasks bound what is kept, and what they came to is still known`() throws {
        let model = try RealModel.loaded.get()
        let filler = "We look at each part in turn, compare it with the one before, and write down what we see. "
        func part(_ found: String) -> String {
            let work = #"{"thought": "\#(String(repeating: filler, count: 7))", "conclusion": "done"}"#
            return #"{"thought": "Find it.", "subtasks": [\#(work)], "conclusion": "\#(found)"},"# + "\n"
        }
        // What was found first would be the first to go.
        let found = ["Bob Miller lives in Paris."] + [String](repeating: "Nothing was found.", count: 2)
        let trace = found.map(part).joined() + #"{"thought": "Bob Miller lives in"#
        let tokens = model.tokens(of: #"{"parts": ["# + "\n" + trace)
        // Room for the conclusions and the subtask that is open: what is needed is never more.
        let budget = 304
        func answer(_ name: String) throws -> (text: String, most: Double) {
            let policy = try PolicyCatalog.policy(
                name, for: model.decoder, sample: PolicySample(tokens, tokenizer: model.tokenizer), budget: budget)
            let cache = try CompressedCache(model.decoder, policy, budget: budget, positions: tokens.count + 16)
            var logits = [Float](repeating: 0, count: model.decoder.configuration.vocabularySize)
            var (most, bytes) = (0.0, [UInt8]())
            func feed(_ tokens: [Int32]) throws {
                try logits.withUnsafeMutableBufferPointer {
                    try cache.feed(tokens, endsPrompt: false, logits: $0.baseAddress!)
                }
                most = max(most, cache.rowsPerHead)
            }
            for start in stride(from: 0, to: tokens.count, by: 16) {
                try feed(Array(tokens[start..<min(tokens.count, start + 16)]))
            }
            for _ in 0..<4 {
                let next = Int32(logits.indices.max { logits[$0] < logits[$1] }!)
                bytes += model.tokenizer.bytes(next)
                try feed([next])
            }
            return (String(decoding: bytes, as: UTF8.self), most)
        }
        let (whole, pruned) = (try answer("full"), try answer("tim"))
        #expect(whole.text.contains("Paris"), "\(whole)")
        #expect(pruned.text.contains("Paris"), "\(pruned)")
        #expect(pruned.most <= Double(budget + 32) && whole.most > 1.5 * Double(budget), "\(pruned.most) \(whole.most)")
    }
}
