import Foundation
import MnemeBase
import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeNumerics
import Testing

@Suite struct DecoderTests {
    struct Tiny: Decodable, CustomTestStringConvertible {
        var name: String
        /// `config.json`.
        var config: String
        /// The context that it shall run with, if not all.
        var context: Int?
        /// The names that its tensors have in a GGUF file.
        var names: [String: String]
        var shapes: [String: [Int]]
        var tokens: [Int32]
        var rows: [Int]
        var logits: String
        var testDescription: String { name }
    }

    static let models = (try? Golden.read([Tiny].self, "tiny")) ?? []

    /// The weights of the golden script's formula.
    static func values(_ name: String, count: Int, isGemma: Bool) -> [Float] {
        var state: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = (Float(state >> 40) / 16_777_216 - 0.5) * 0.25
            // Gemma's norms are stored less 1.
            return name.contains("norm") && !isGemma ? value + 1 : value
        }
    }

    /// A model's folder as the hub has it.
    ///
    /// - Parameter change: may change a tensor's values before they are written.
    static func folder(
        _ model: Tiny, change: (_ name: String, _ values: inout [Float]) -> Void = { _, _ in }
    ) throws
        -> String
    {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-tiny-\(UUID().uuidString)"
        )
        .path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try model.config.write(toFile: folder + "/config.json", atomically: true, encoding: .utf8)
        var header: [String: Any] = [:]
        var data = Data()
        for (name, shape) in model.shapes.sorted(by: { $0.key < $1.key }) {
            var values = values(
                name, count: shape.reduce(1, *), isGemma: model.name.contains("gemma"))
            let start = data.count
            change(name, &values)
            values.withUnsafeBytes { data.append(contentsOf: $0) }
            header[name] =
                ["dtype": "F32", "shape": shape, "data_offsets": [start, data.count]]
                as [String: Any]
        }
        let json = try JSONSerialization.data(withJSONObject: header)
        var file = Data()
        withUnsafeBytes(of: UInt64(json.count).littleEndian) { file.append(contentsOf: $0) }
        try (file + json + data).write(to: URL(fileURLWithPath: folder + "/model.safetensors"))
        return folder
    }

    @Test func `there are golden models`() { #expect(Self.models.count >= 8) }

    @Test(arguments: models)
    func `logits equal those of transformers`(model: Tiny) throws {
        let path = try Self.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try TransformerDecoder(
            ModelFolder(path: path, context: model.context), stepTokens: 128, stepLogits: 128)
        let expected = Golden.floats(model.logits)
        let size = decoder.configuration.vocabularySize
        let cache = Cache(decoder.configuration, positions: 80)
        // Keys and values are halves, which costs some of the fourth digit.
        let all = decoder.logits(model.tokens, at: 0, in: cache, rows: 80)
        for (i, row) in model.rows.enumerated() {
            let worst = zip(all[row], expected[i * size..<(i + 1) * size]).map { abs($0 - $1) }
                .max()!
            #expect(worst < 1e-3, "row \(row) differs by \(worst)")
        }
        // The same in chunks and token by token, to the bit.
        let pieces = Cache(decoder.configuration, positions: 80)
        var place = 0
        for size in [1, 7, 30, 1, 1, 40] {
            let rows = decoder.logits(
                Array(model.tokens[place..<place + size]), at: place, in: pieces, rows: size)
            #expect(rows == Array(all[place..<place + size]), "chunk at \(place)")
            place += size
        }
    }

    /// Checksums of all logits of the golden models. They are one for all processors: only a change
    /// of the arithmetic changes them.
    @Test(arguments: models)
    func `logits are the same bits on every processor`(model: Tiny) throws {
        let expected = try Golden.read([String: UInt32].self, "logits-checksums")
        let path = try Self.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try TransformerDecoder(
            ModelFolder(path: path, context: model.context), stepTokens: 128, stepLogits: 128)
        let all = decoder.logits(
            model.tokens, at: 0, in: Cache(decoder.configuration, positions: 80), rows: 80)
        let sums = all.flatMap { $0 }.withUnsafeBytes { Checksum.crc32c(Array($0)) }
        let sum = sums.reduce(UInt32(0)) { ($0 << 7 | $0 >> 25) ^ $1 }
        #expect(sum == expected[model.name], "\"\(model.name)\": \(sum)")
    }

    /// Runs one step of several sequences; their logits follow each other.
    static func step(
        _ decoder: TransformerDecoder,
        _ parts: [(tokens: ArraySlice<Int32>, cache: Cache, logits: Int)],
        adapters: [DecoderAdapter?] = []
    ) -> [[Float]] {
        let size = decoder.configuration.vocabularySize
        let count = parts.reduce(0) { $0 + $1.logits }
        var tokens: [Int32] = []
        var segments: [DecoderSegment] = []
        var out = [Float](repeating: .nan, count: count * size)
        for (i, part) in parts.enumerated() {
            segments.append(
                DecoderSegment(
                    tokens: tokens.count..<tokens.count + part.tokens.count,
                    position: part.tokens.startIndex,
                    view: part.cache.view, logits: part.logits))
            if adapters.indices.contains(i) { segments[i].adapter = adapters[i] }
            tokens += part.tokens
        }
        tokens.withUnsafeBufferPointer { tokens in
            segments.withUnsafeBufferPointer { segments in
                out.withUnsafeMutableBufferPointer {
                    decoder.step(tokens: tokens, segments: segments, logits: $0.baseAddress!)
                }
            }
        }
        return (0..<count).map { Array(out[$0 * size..<($0 + 1) * size]) }
    }

    /// Logits of sequences with and without logits in one step, and of what follows them; and what
    /// each token gives by itself.
    private static func mixed(_ decoder: TransformerDecoder, _ text: [Int32], behind: Int) -> (
        logits: [[Float]], alone: [[Float]]
    ) {
        let c = decoder.configuration
        let whole = Cache(c, positions: text.count)
        let caches = (0..<5).map { _ in Cache(c, positions: text.count) }
        var alone: [[Float]] = []
        for cache in [whole] + caches where behind > 0 {
            for start in stride(from: 0, to: behind, by: 100) {
                _ = decoder.logits(
                    Array(text[start..<min(behind, start + 100)]), at: start, in: cache, rows: 1)
            }
        }
        for token in behind..<text.count {
            alone += decoder.logits([text[token]], at: token, in: whole, rows: 1)
        }
        // The lengths of prompts: threads share the contexts of those below 17 tokens.
        let ends = [9, 20, 3, 1, 1].map { behind + $0 }
        let kept = [0, 3, 3, 0, 1]
        var logits = step(
            decoder, caches.indices.map { (text[behind..<ends[$0]], caches[$0], kept[$0]) })
        // Nobody wants any; and what was left behind serves what follows.
        logits += step(
            decoder,
            [
                (text[ends[0]..<ends[0] + 9], caches[0], 0),
                (text[ends[3]..<ends[3] + 2], caches[3], 0),
            ])
        let next = [ends[0] + 9, ends[1], ends[2], ends[3] + 2, ends[4]]
        logits += step(
            decoder, caches.indices.map { (text[next[$0]..<next[$0] + 1], caches[$0], 1) })
        let places = caches.indices.flatMap { ends[$0] - kept[$0]..<ends[$0] } + next
        return (logits, places.map { alone[$0 - behind] })
    }

    @Test(arguments: models) func `tokens without logits change nothing for the others`(model: Tiny)
        throws
    {
        let path = try Self.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try TransformerDecoder(
            ModelFolder(path: path, context: model.context), stepTokens: 128, stepLogits: 128)
        for behind in [0, 40] {
            let (logits, alone) = Self.mixed(decoder, model.tokens, behind: behind)
            #expect(logits == alone, "behind \(behind)")
        }
    }

    @Test(.enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"))
    func `tokens without logits change nothing behind a long context`() throws {
        let decoder = try RealModel.loaded.get().decoder
        let (logits, alone) = Self.mixed(
            decoder, (0..<640).map { Int32($0 * 7919 % 40_000) }, behind: 600)
        #expect(logits == alone)
    }

    @Test(arguments: models) func `policies go with every family, and windows keep what they see`(model: Tiny)
        throws
    {
        let path = try Self.folder(model)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let decoder = try TransformerDecoder(
            ModelFolder(path: path, context: model.context), stepTokens: 128, stepLogits: 128)
        let c = decoder.configuration
        let ordinary = Cache(c, positions: 80)
        let prompt = Array(model.tokens.prefix(60))
        _ = decoder.logits(prompt, at: 0, in: ordinary, rows: 1)
        let expected = decoder.logits([model.tokens[60]], at: 60, in: ordinary, rows: 1)[0]
        let isWindowed = (0..<c.layers).contains { c.window(layer: $0) != nil }
        for name in ["full", "snapkv", "h2o", "streamingllm", "windowkv"] {
            let policy = try PolicyCatalog.policy(name, for: decoder, sample: PolicySample(prompt), budget: 40)
            if policy.movesTogether, isWindowed {
                #expect(throws: KVError.self) {
                    try CompressedCache(decoder, policy, budget: 40, positions: 80)
                }
                continue
            }
            let cache = try CompressedCache(decoder, policy, budget: 40, positions: 80)
            var logits = [Float](repeating: .nan, count: c.vocabularySize)
            try logits.withUnsafeMutableBufferPointer {
                try cache.feed(prompt, endsPrompt: true, logits: $0.baseAddress!)
                try cache.feed([model.tokens[60]], endsPrompt: false, logits: $0.baseAddress!)
            }
            let worst = zip(logits, expected).map { abs($0 - $1) }.max()!
            if name == "full" { #expect(worst < 1e-4, "\(worst)") } else { #expect(worst.isFinite) }
            for layer in 0..<c.layers {
                let count = cache.rows(layer, 0).count
                if let window = c.window(layer: layer) {
                    #expect(count >= min(61, window) && count < window + 32, "\(name), \(layer)")
                } else {
                    #expect(count == (name == "full" ? 61 : 41), "\(name), layer \(layer)")
                }
            }
        }
    }

    /// The same model as a GGUF file, written as the public converter would: names from its tables,
    /// other conventions of weights.
    static func gguf(_ model: Tiny) throws -> String {
        let config = try #require(
            try JSONSerialization.jsonObject(with: Data(model.config.utf8)) as? [String: Any])
        let type = config["model_type"] as! String
        let isGemma = type.hasPrefix("gemma")
        let architecture = ["mistral": "llama", "gemma3_text": "gemma3"][type] ?? type
        var writer = GGUFWriter()
        try writer.add("general.architecture", .string(architecture))
        func integer(_ key: String) -> Int? { config[key] as? Int }
        for (key, value) in [
            "block_count": integer("num_hidden_layers"), "embedding_length": integer("hidden_size"),
            "feed_forward_length": integer("intermediate_size"),
            "attention.head_count": integer("num_attention_heads"),
            "attention.head_count_kv": integer("num_key_value_heads"),
            "attention.key_length": integer("head_dim"),
            "context_length": model.context ?? integer("max_position_embeddings"),
            "attention.sliding_window": integer("sliding_window"),
        ] { if let value { try writer.add("\(architecture).\(key)", .integer(Int64(value))) } }
        for (key, value) in [
            "attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
            "rope.freq_base": config["rope_theta"],
            "attn_logit_softcapping": config["attn_logit_softcapping"],
            "final_logit_softcapping": config["final_logit_softcapping"],
        ] {
            if let value = value as? NSNumber {
                try writer.add("\(architecture).\(key)", .float(value.doubleValue))
            }
        }
        let heads = integer("num_attention_heads")!
        let dimension = integer("head_dim") ?? integer("hidden_size")! / heads
        var tensors = model.shapes.sorted { $0.key < $1.key }.map {
            name, shape -> (name: String, shape: [Int], values: [Float]) in
            var values = values(name, count: shape.reduce(1, *), isGemma: isGemma)
            if isGemma, name.contains("norm") { values = values.map { $0 + 1 } }
            if architecture == "llama", name.contains("q_proj") || name.contains("k_proj") {
                // Pairs of a rotation stand side by side: row 2i is row i of the first half, row 2i
                // + 1 of the second.
                values = (0..<shape[0]).flatMap { row in
                    let place = row % dimension
                    let from =
                        row - place + (place % 2 == 0 ? place / 2 : dimension / 2 + place / 2)
                    return values[from * shape[1]..<(from + 1) * shape[1]]
                }
            }
            return (model.names[name]!, shape, values)
        }
        if let rope = config["rope_scaling"] as? [String: Any] {
            if rope["rope_type"] as! String == "longrope" {
                for kind in ["short", "long"] {
                    let factors = (rope["\(kind)_factor"] as! [NSNumber]).map(\.floatValue)
                    tensors.append(("rope_factors_\(kind).weight", [factors.count], factors))
                    if kind == "long" {
                        try writer.add(
                            "\(architecture).rope.dimension_count",
                            .integer(Int64(2 * factors.count)))
                    }
                }
            } else {
                try writer.add(
                    "\(architecture).rope.scaling.type", .string(rope["rope_type"] as! String))
                try writer.add(
                    "\(architecture).rope.scaling.factor",
                    .float((rope["factor"] as! NSNumber).doubleValue))
            }
            if let original = config["original_max_position_embeddings"] as? Int ?? rope[
                "original_max_position_embeddings"] as? Int
            {
                try writer.add(
                    "\(architecture).rope.scaling.original_context_length",
                    .integer(Int64(original)))
            }
        }
        for tensor in tensors {
            writer.add(
                tensor: tensor.name, shape: tensor.shape, type: .f32, bytes: 4 * tensor.values.count
            )
        }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-tiny-\(UUID().uuidString).gguf"
        )
        .path
        try writer.write(to: path) { i in tensors[i].values.withUnsafeBytes { Array($0) } }
        return path
    }

    // Stretching by need is not in GGUF files, and the one of Llama 3 is a tensor there that has no
    // reference here.
    @Test(arguments: models.filter { $0.name != "llama-dynamic" && $0.name != "llama-llama3" })
    func `a GGUF file gives the same logits`(model: Tiny) throws {
        let path = try Self.gguf(model)
        let small = path + ".q8"
        defer { for file in [path, small] { try? FileManager.default.removeItem(atPath: file) } }
        let file = try GGUFFile(path: path)
        let expected = Golden.floats(model.logits)
        func worst(_ file: GGUFFile) throws -> Float {
            let decoder = try TransformerDecoder(file, stepTokens: 128, stepLogits: 128)
            let size = decoder.configuration.vocabularySize
            let all = decoder.logits(
                model.tokens, at: 0, in: Cache(decoder.configuration, positions: 80), rows: 80)
            return model.rows.enumerated().map { i, row in
                zip(all[row], expected[i * size..<(i + 1) * size]).map { abs($0 - $1) }.max()!
            }.max()!
        }
        // The stretch of LongRoPE is the ratio of two contexts, of which the file knows one if the
        // test sets it.
        if model.name != "phi3-short" { #expect(try worst(file) < 1e-3) }
        // Converted to eight bits it is nearly the same model.
        try GGUFConversion.convert(file, to: .q8_0, path: small)
        let converted = try GGUFFile(path: small)
        #expect(
            converted.tensors["token_embd.weight"]?.typeName == "Q8_0"
                && converted.tensors["output_norm.weight"]?.typeName == "F32")
        #expect(try worst(converted) < 0.6)
    }

    @Test func `a conversion keeps the header and overwrites nothing`() throws {
        let path = try Self.gguf(Self.models[0])
        let target = path + ".f16"
        defer { for file in [path, target] { try? FileManager.default.removeItem(atPath: file) } }
        let file = try GGUFFile(path: path)
        try GGUFConversion.convert(file, to: .f16, path: target)
        let converted = try GGUFFile(path: target)
        for (key, value) in file.metadata { #expect(converted.metadata[key] == value) }
        #expect(
            converted.integer("general.file_type") == 1
                && converted.tensors.count == file.tensors.count)
        let error = #expect(throws: ModelError.self) {
            try GGUFConversion.convert(file, to: .f32, path: target)
        }
        #expect(error?.code == .cannotWrite)
        let nowhere = #expect(throws: ModelError.self) {
            try GGUFConversion.convert(file, to: .f32, path: path + ".d/x")
        }
        #expect(nowhere?.code == .cannotWrite && nowhere?.message.contains("No such file") == true)
    }

    @Test(arguments: [Float.infinity, .nan], GGUFConversion.Target.allCases)
    func `a weight that is not finite is found, and not converted`(
        bad: Float, target: GGUFConversion.Target
    ) throws {
        let path = try Self.gguf(Self.models[0])
        let converted = path + ".converted"
        defer { for file in [path, converted] { try? FileManager.default.removeItem(atPath: file) } }
        let sound = try GGUFFile(path: path)
        let place = try #require(sound.tensors["blk.0.attn_q.weight"]).range.lowerBound + 4 * 5
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        withUnsafeBytes(of: bad.bitPattern.littleEndian) {
            bytes.replaceSubrange(place..<place + 4, with: $0)
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: ModelError.self) {
            try GGUFConversion.convert(GGUFFile(path: path), to: target, path: converted)
        }
        #expect(
            error?.code == .invalidFile
                && error?.message.contains("'blk.0.attn_q.weight'") == true
                && error?.message.contains("at 5") == true)
        #expect(!FileManager.default.fileExists(atPath: converted))
    }

    @Test(
        .enabled(if: RealModel.isThere, "needs the model that `make language-model` fetches"),
        arguments: [nil, .f16] as [GGUFConversion.Target?])
    func `greedy answers equal those of the f32 reference`(converted: GGUFConversion.Target?) throws {
        struct Answer: Decodable {
            var prompt: String
            var answer: [Int32]
        }
        let answers = try Golden.read([Answer].self, "greedy")
        let file = NSTemporaryDirectory() + "mneme-\(UUID().uuidString).gguf"
        defer { try? FileManager.default.removeItem(atPath: file) }
        var model = try RealModel.loaded.get()
        if let converted, let path = RealModel.path {
            try GGUFConversion.convert(try GGUFFile(path: path), to: converted, path: file)
            model = try LanguageModel(path: file, stepTokens: 256)
        }
        var equal = 0
        var gaps: [Float] = []
        for answer in answers {
            let cache = Cache(model.decoder.configuration, positions: 128)
            var tokens = model.tokenizer.encode(answer.prompt, special: false)
            var position = 0
            var made: [Int32] = []
            while made.count < answer.answer.count {
                var row = model.decoder.logits(tokens, at: position, in: cache, rows: 1)[0]
                position += tokens.count
                // The reference was told to write 64 tokens and not to end before.
                for end in model.tokenizer.endTokens where end == 2 { row[Int(end)] = -.infinity }
                made.append(row.withUnsafeMutableBufferPointer { Sampler.argmax($0) })
                let expected = answer.answer[made.count - 1]
                if made.last != expected {
                    gaps.append(row[Int(made.last!)] - row[Int(expected)])
                    break
                }
                tokens = [made.last!]
            }
            if made == answer.answer { equal += 1 }
        }
        print(
            "  greedy\(converted.map { ", \($0)" } ?? ""): \(equal) of \(answers.count) answers of 64 tokens are the reference's; where one differs, the logits differ by \(gaps)"
        )
        #expect(answers.count == 20 && equal >= 18)
    }
}
