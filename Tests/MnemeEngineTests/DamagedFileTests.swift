import Foundation
import MnemeBase
import MnemeEngine
import MnemeModels
import MnemeNumerics
import Testing

/// Model files that are damaged or made to do harm: each is refused with a ``ModelError``, or runs
/// a step.
@Suite struct DamagedFileTests {
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    /// Counts of the outcomes of a test's cases: one that refuses all of them, or none, tests
    /// nothing.
    private struct Tally {
        private var ran = 0, refused = 0
        mutating func add(_ runs: Bool) { if runs { ran += 1 } else { refused += 1 } }
        func check() { #expect(ran > 0 && refused > 0, "\(ran) ran, \(refused) were refused") }
    }

    /// How many times the usual number of cases: `MNEME_FUZZ=100` for a long run. Another
    /// `MNEME_FUZZ_SEED` tries others.
    private static let rounds =
        ProcessInfo.processInfo.environment["MNEME_FUZZ"].flatMap(Int.init) ?? 1
    private static let seed =
        ProcessInfo.processInfo.environment["MNEME_FUZZ_SEED"].flatMap(UInt64.init) ?? 1

    private static let hidden = 32, layers = 2, wide = 32, heads = 2
    private static let template =
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}{{ '<|im_start|>assistant\n' }}"

    /// GPT-2's spelling of all bytes, some merges of them, and special tokens.
    private static let vocabulary: (tokens: [String], merges: [String], kinds: [Int64]) = {
        var bytes: [String] = []
        var moved: UInt32 = 256
        for byte in 0...255 {
            let isPlain =
                (33...126).contains(byte) || (161...172).contains(byte)
                || (174...255).contains(byte)
            bytes.append(String(Character(Unicode.Scalar(isPlain ? UInt32(byte) : moved) ?? " ")))
            if !isPlain { moved += 1 }
        }
        let merges = ["h e", "l l", "he ll", "Ġ w"]
        let all =
            bytes + merges.map { $0.replacing(" ", with: "") } + ["<|im_start|>", "<|im_end|>"]
        return (all, merges, all.map { $0.hasPrefix("<|") ? 3 : 1 })
    }()

    /// Name in a GGUF file, name in a folder, shape.
    private static let tensors: [(gguf: String, hub: String, shape: [Int])] = {
        var list = [
            ("token_embd.weight", "model.embed_tokens.weight", [vocabulary.tokens.count, hidden]),
            ("output_norm.weight", "model.norm.weight", [hidden]),
        ]
        for i in 0..<layers {
            for (gguf, hub, shape) in [
                ("attn_norm", "input_layernorm", [hidden]),
                ("ffn_norm", "post_attention_layernorm", [hidden]),
                ("attn_q", "self_attn.q_proj", [hidden, hidden]),
                ("attn_k", "self_attn.k_proj", [hidden / 2, hidden]),
                ("attn_v", "self_attn.v_proj", [hidden / 2, hidden]),
                ("attn_output", "self_attn.o_proj", [hidden, hidden]),
                ("ffn_gate", "mlp.gate_proj", [wide, hidden]),
                ("ffn_up", "mlp.up_proj", [wide, hidden]),
                ("ffn_down", "mlp.down_proj", [hidden, wide]),
            ] { list.append(("blk.\(i).\(gguf).weight", "model.layers.\(i).\(hub).weight", shape)) }
        }
        return list
    }()

    private static func data(_ shape: [Int]) -> [UInt8] {
        (0..<shape.reduce(1, *)).map { sin(Float($0)) * 0.1 + (shape.count == 1 ? 1 : 0) }
            .withUnsafeBytes { Array($0) }
    }

    /// The entries of a sound file's header.
    private static let entries: [(key: String, value: GGUFFile.Value)] = [
        ("general.architecture", .string("llama")), ("general.alignment", .integer(32)),
        ("llama.block_count", .integer(Int64(layers))),
        ("llama.embedding_length", .integer(Int64(hidden))),
        ("llama.feed_forward_length", .integer(Int64(wide))),
        ("llama.attention.head_count", .integer(Int64(heads))),
        ("llama.attention.head_count_kv", .integer(1)),
        ("llama.attention.key_length", .integer(16)),
        ("llama.attention.sliding_window", .integer(0)), ("llama.expert_count", .integer(0)),
        ("llama.context_length", .integer(128)),
        ("llama.attention.layer_norm_rms_epsilon", .float(1e-5)),
        ("llama.rope.freq_base", .float(10_000)),
        ("llama.rope.dimension_count", .integer(16)),
        ("llama.rope.scaling.type", .string("linear")), ("llama.rope.scaling.factor", .float(2)),
        ("llama.rope.scaling.original_context_length", .integer(64)),
        ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.pre", .string("gpt-2")),
        ("tokenizer.ggml.tokens", .array(vocabulary.tokens.map { .string($0) })),
        ("tokenizer.ggml.merges", .array(vocabulary.merges.map { .string($0) })),
        ("tokenizer.ggml.token_type", .array(vocabulary.kinds.map { .integer($0) })),
        ("tokenizer.ggml.scores", .array(vocabulary.kinds.indices.map { .float(-Double($0)) })),
        ("tokenizer.ggml.add_bos_token", .bool(true)),
        ("tokenizer.ggml.bos_token_id", .integer(260)),
        ("tokenizer.ggml.eos_token_id", .integer(261)),
        ("tokenizer.ggml.eot_token_id", .integer(261)),
        ("tokenizer.ggml.unknown_token_id", .integer(0)),
        ("tokenizer.chat_template", .string(template)),
    ]

    private static func gguf(
        _ entries: [(key: String, value: GGUFFile.Value)], shapes: [[Int]] = tensors.map(\.shape)
    )
        throws -> [UInt8]
    {
        var writer = GGUFWriter()
        for entry in entries { try writer.add(entry.key, entry.value) }
        for (tensor, shape) in zip(tensors, shapes) {
            writer.add(
                tensor: tensor.gguf, shape: shape, type: .f32, bytes: tensor.shape.reduce(4, *))
        }
        let path = Self.path() + ".gguf"
        defer { unlink(path) }
        try writer.write(to: path) { data(tensors[$0].shape) }
        return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private static func path() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-damaged-\(UUID().uuidString)"
        ).path
    }

    /// Loads a model and has it answer.
    ///
    /// - Returns: whether it ran.
    @discardableResult
    private static func run(_ path: String) throws -> Bool {
        let model: LanguageModel
        do { model = try LanguageModel(path: path, stepTokens: 64, threads: 1) } catch is ModelError { return false }
        var tokens = model.tokens(of: "hello world é\u{1}")
        do {
            tokens += try model.tokens(of: [
                ChatMessage(role: "system", content: "x"),
                ChatMessage(role: "user", content: "hello"),
            ])
        } catch is EngineError {}
        tokens = Array(tokens.prefix(60))
        if tokens.isEmpty { tokens = [0] }
        var row = model.decoder.logits(
            tokens, at: 0, in: Cache(model.decoder.configuration, positions: 64), rows: 1)[0]
        var parameters = SamplingParameters()
        (parameters.temperature, parameters.topK, parameters.minP, parameters.typicalP) = (
            1, 5, 0.1, 0.9
        )
        var sampler = Sampler(parameters, prompt: tokens)
        let next = row.withUnsafeMutableBufferPointer { sampler.next($0) }
        _ = model.tokenizer.decode([next])
        return true
    }

    @discardableResult
    private static func run(gguf bytes: [UInt8]) throws -> Bool {
        let path = path() + ".gguf"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { unlink(path) }
        return try run(path)
    }

    private static let extremes: [GGUFFile.Value] = {
        let integers: [Int64] = [
            0, 1, -1, 2, 3, 7, 16, 48, 255, 1 << 24, (1 << 31) - 1, 1 << 31, 1 << 32, .max, .min,
            .max - 1,
        ]
        let floats: [Double] = [0, -1, 0.5, 1e-300, 3e38, .infinity, -.infinity, .nan]
        let texts = ["", "x", "llama", "yarn", "t5", String(repeating: "{{ ", count: 1000)]
        let lists: [[GGUFFile.Value]] = [
            [], [.integer(-1)], [.string(""), .string("a b")], [.array([.array([.integer(1)])])],
            [.float(.nan)],
        ]
        return integers.map { .integer($0) } + floats.map { .float($0) } + texts.map { .string($0) }
            + lists.map { .array($0) } + [.bool(true)]
    }()

    @Test func `a sound file runs, in both forms`() throws {
        #expect(try Self.run(gguf: Self.gguf(Self.entries)))
        let folder = try Self.folder(Self.json)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(try Self.run(folder))
    }

    @Test(arguments: [Float.infinity, -.infinity, .nan])
    func `a half that is not finite is a fault of a model`(bad: Float) throws {
        let path = Self.path() + ".gguf"
        let types = Self.tensors.map { $0.shape.count > 1 ? GGMLType.f16 : .f32 }
        defer { unlink(path) }
        func write(_ change: (inout [Float], String) -> Void) throws {
            var writer = GGUFWriter()
            for entry in Self.entries { try writer.add(entry.key, entry.value) }
            for (tensor, type) in zip(Self.tensors, types) {
                writer.add(
                    tensor: tensor.gguf, shape: tensor.shape, type: type,
                    bytes: tensor.shape.reduce(type == .f16 ? 2 : 4, *))
            }
            try writer.write(to: path) { i in
                var values = Self.data(Self.tensors[i].shape).withUnsafeBytes {
                    Array($0.bindMemory(to: Float.self))
                }
                change(&values, Self.tensors[i].gguf)
                return types[i] == .f32
                    ? quantize(values, type: .f32)
                    : values.flatMap { value in
                        withUnsafeBytes(of: Float16(value).bitPattern.littleEndian, Array.init)
                    }
            }
        }
        try write { _, _ in }
        #expect(try ModelSource(path: path).faults() == [])
        try write { values, name in if name == "blk.1.ffn_up.weight" { values[7] = bad } }
        let faults = try ModelSource(path: path).faults()
        #expect(faults.count == 1 && faults[0].contains("'blk.1.ffn_up.weight'") && faults[0].contains("at 7"))
    }

    @Test func `any value of any entry of a GGUF file is refused or runs`() throws {
        var tally = Tally()
        var random = Random(state: Self.seed)
        var cases: [(architecture: String, entry: Int, value: GGUFFile.Value?)] = []
        for architecture in ["llama", "gemma3", "phi3"] {
            for entry in Self.entries.indices {
                cases += (Self.extremes + [nil]).map { (architecture, entry, $0) }
            }
        }
        for (architecture, entry, value) in cases.shuffled(using: &random).prefix(500 * Self.rounds) {
            var entries = Self.entries.map {
                (key: $0.key.replacing("llama.", with: architecture + "."), value: $0.value)
            }
            entries[0].value = .string(architecture)
            if let value { entries[entry].value = value } else { entries.remove(at: entry) }
            tally.add(try Self.run(gguf: Self.gguf(entries)))
        }
        tally.check()
    }

    @Test(arguments: ["llama", "t5", "gpt2"])
    func `any value of any token of a vocabulary is refused or runs`(model: String) throws {
        var tally = Tally()
        var random = Random(state: Self.seed)
        for key in ["tokens", "merges", "token_type", "scores"] {
            for _ in 0..<20 * Self.rounds {
                var entries = Self.entries
                entries[entries.firstIndex { $0.key == "tokenizer.ggml.model" }!].value = .string(
                    model)
                let place = entries.firstIndex { $0.key == "tokenizer.ggml." + key }!
                guard case .array(var list) = entries[place].value else { continue }
                switch Int.random(in: 0..<4, using: &random) {
                case 0: list.removeLast(Int.random(in: 1...list.count, using: &random))
                case 1: list.append(list[0])
                case 2: list.swapAt(0, list.count - 1)
                default: break
                }
                if !list.isEmpty {
                    let others: [GGUFFile.Value] =
                        key == "scores"
                        ? [.float(.nan), .float(.infinity), .float(-.infinity)]
                        : key == "token_type"
                            ? [.integer(6), .integer(3), .integer(.max), .integer(0), .integer(2)]
                            : [
                                "", " ", "  ", "<0x", "<0xFF>", "<0xFFF>", "he ll", "a b c", "▁",
                                "\u{0}",
                            ].map {
                                .string($0)
                            }
                    for _ in 0..<3 {
                        list[Int.random(in: 0..<list.count, using: &random)] = others.randomElement(
                            using: &random)!
                    }
                }
                entries[place].value = .array(list)
                tally.add(try Self.run(gguf: Self.gguf(entries)))
            }
        }
        tally.check()
    }

    @Test func `any shape of any tensor is refused or runs`() throws {
        for i in Self.tensors.indices {
            for shape in [
                [0], [1], [32], [32, 32, 1, 1], [1 << 40, 1 << 40], [.max, 2], [1, .max], [32, 0],
            ] as [[Int]] {
                var shapes = Self.tensors.map(\.shape)
                shapes[i] = shape
                #expect(
                    try !Self.run(gguf: Self.gguf(Self.entries, shapes: shapes))
                        || shape == Self.tensors[i].shape)
            }
        }
    }

    @Test func `a GGUF file whose bytes are changed is refused or runs`() throws {
        let sound = try Self.gguf(Self.entries)
        let header = sound.count - Self.tensors.reduce(0) { $0 + $1.shape.reduce(4, *) }
        var tally = Tally()
        var random = Random(state: Self.seed)
        for _ in 0..<600 * Self.rounds {
            var bytes = sound
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(
                    in: 0..<(Int.random(in: 0..<10, using: &random) == 0 ? bytes.count : header),
                    using: &random)
                guard place < bytes.count else { continue }
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes[place] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random)!
                case 2: bytes.removeLast(bytes.count - place)
                default:
                    // A number of the header, whatever its size.
                    let value = [
                        0, 1, .max, UInt64(Int64.max), 1 << 63, 1 << 32, 1 << 31, 1 << 47, 1 << 48,
                        UInt64(bytes.count),
                    ].randomElement(using: &random)!
                    let count = [4, 8].randomElement(using: &random)!
                    for i in 0..<count where place + i < bytes.count {
                        bytes[place + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i))
                    }
                }
            }
            tally.add(try Self.run(gguf: bytes))
        }
        tally.check()
    }

    // MARK: Folders

    /// The JSON files of a sound folder.
    private static let json: [(name: String, text: String)] = {
        let vocab = vocabulary.tokens.enumerated().map { "\(OrderedJSON.string($1).text):\($0)" }
            .joined(separator: ",")
        let merges = vocabulary.merges.map { OrderedJSON.string($0).text }.joined(separator: ",")
        return [
            (
                "config.json",
                #"{"model_type":"llama","hidden_act":"silu","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":16,"#
                    + #""intermediate_size":32,"vocab_size":262,"max_position_embeddings":128,"rms_norm_eps":1e-5,"rope_theta":10000,"sliding_window":64,"#
                    + #""max_window_layers":1,"query_pre_attn_scalar":16,"attn_logit_softcapping":50,"final_logit_softcapping":30,"rope_scaling":{"rope_type":"llama3","#
                    + #""factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":64,"attention_factor":1},"layer_types":["full_attention"]}"#
            ),
            (
                "tokenizer.json",
                #"{"model":{"type":"BPE","unk_token":null,"unk_id":0,"byte_fallback":false,"ignore_merges":false,"vocab":{\#(vocab)},"merges":[\#(merges)]},"#
                    + #""added_tokens":[{"id":260,"content":"<|im_start|>","special":true},{"id":261,"content":"<|im_end|>","special":true,"rstrip":true}],"#
                    + #""normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},"post_processor":{"type":"TemplateProcessing","#
                    + #""single":[{"SpecialToken":{"id":"<|im_start|>"}}]}}"#
            ),
            (
                "tokenizer_config.json",
                #"{"eos_token":{"content":"<|im_end|>"},"bos_token":"<|im_start|>","chat_template":\#(OrderedJSON.string(template).text)}"#
            ),
        ]
    }()

    private static let weights: (header: [(name: String, text: String)], data: [UInt8]) = {
        var header: [(String, String)] = []
        var all: [UInt8] = []
        for tensor in tensors {
            let bytes = data(tensor.shape)
            header.append(
                (
                    tensor.hub,
                    #"{"dtype":"F32","shape":\#(tensor.shape),"data_offsets":[\#(all.count),\#(all.count + bytes.count)]}"#
                ))
            all += bytes
        }
        // Gemma's feed-forward norm is called otherwise; other families leave it alone.
        for i in 0..<layers {
            let bytes = data([hidden])
            header.append(
                (
                    "model.layers.\(i).pre_feedforward_layernorm.weight",
                    #"{"dtype":"F32","shape":[\#(hidden)],"data_offsets":[\#(all.count),\#(all.count + bytes.count)]}"#
                ))
            all += bytes
        }
        return (header, all)
    }()

    private static func safetensors(_ header: String, length: UInt64? = nil) -> [UInt8] {
        withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian, Array.init)
            + Array(header.utf8)
            + weights.data
    }

    private static let header =
        "{" + weights.header.map { "\"\($0.name)\":\($0.text)" }.joined(separator: ",")
        // Of a file's notes any value will do.
        + #","__metadata__":{"format":"pt","by":"a","of":"b","at":"c"}}"#

    private static func folder(
        _ files: [(name: String, text: String)], weights: [UInt8] = safetensors(header)
    ) throws
        -> String
    {
        let folder = path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for file in files {
            try Data(file.text.utf8).write(to: URL(fileURLWithPath: folder + "/" + file.name))
        }
        try Data(weights).write(to: URL(fileURLWithPath: folder + "/model.safetensors"))
        return folder
    }

    private static let extremeJSON = [
        "null", "true", "-1", "0", "1", "3", "0.5", "1e300", "-1e300", "1e999", "2147483648",
        "4294967296",
        "9223372036854775807", "9223372036854775808",
        "18446744073709551616", "\"\"", "\"x\"", "[]", "{}", "[1]", "[null]", "[[]]", "{\"a\":1}",
        String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000),
        String(repeating: "9", count: 400),
    ]

    /// All texts in which one value of a JSON text is another.
    private static func variants(_ text: String, _ other: String) -> [String] {
        var places: [Range<Int>] = []
        let bytes = Array(text.utf8)
        // Values begin behind a colon, a bracket or a comma outside of strings; finding some that
        // are none does no harm.
        for (i, byte) in bytes.enumerated() where ":[,".utf8.contains(byte) {
            var end = i + 1
            var depth = 0
            var quoted = false
            while end < bytes.count {
                let b = bytes[end]
                if b == 92 {
                    end += 1
                } else if b == 34 {
                    quoted.toggle()
                } else if !quoted {
                    if "{[".utf8.contains(b) { depth += 1 }
                    if "}]".utf8.contains(b) { depth -= 1 }
                    if depth < 0 || depth == 0 && b == 44 { break }
                }
                end += 1
            }
            if end <= bytes.count { places.append(i + 1..<end) }
        }
        return places.map {
            String(
                decoding: bytes[..<$0.lowerBound] + Array(other.utf8) + bytes[$0.upperBound...],
                as: UTF8.self)
        }
    }

    @Test(arguments: [0, 1, 2], ["llama", "gemma3_text", "qwen2", "phi3"])
    func `any value of any member of a folder's files is refused or runs`(file: Int, family: String)
        throws
    {
        var tally = Tally()
        var random = Random(state: Self.seed)
        let text = Self.json[file].text.replacing(
            #""model_type":"llama""#, with: #""model_type":"\#(family)""#)
        for other in Self.extremeJSON {
            // The members at the end are few and weighty, those of a vocabulary many and alike.
            let variants = Self.variants(text, other)
            let chosen =
                variants.shuffled(using: &random).prefix(3 * Self.rounds)
                + variants.suffix(60).shuffled(using: &random).prefix(3 * Self.rounds)
            for variant in chosen {
                var files = Self.json
                files[file].text = variant
                let folder = try Self.folder(files)
                defer { try? FileManager.default.removeItem(atPath: folder) }
                tally.add(try Self.run(folder))
            }
        }
        // Nothing in `tokenizer_config.json` (file 2) makes a model useless.
        if file < 2 { tally.check() }
    }

    @Test func `a SentencePiece tokenizer of any values is refused or runs`() throws {
        var tally = Tally()
        let pieces = Self.vocabulary.tokens.map { "[\(OrderedJSON.string($0).text),-1.5]" }.joined(
            separator: ",")
        for (kind, vocab) in [
            ("Unigram", "[\(pieces)]"),
            (
                "BPE",
                "{"
                    + Self.vocabulary.tokens.enumerated().map {
                        "\(OrderedJSON.string($1).text):\($0)"
                    }.joined(
                        separator: ",") + "}"
            ),
        ] {
            for other in Self.extremeJSON {
                for text in [
                    #"{"model":{"type":"\#(kind)","byte_fallback":true,"unk_id":\#(other),"merges":["h e"],"vocab":\#(vocab)}}"#,
                    #"{"model":{"type":"\#(kind)","byte_fallback":true,"unk_id":0,"merges":\#(other),"vocab":\#(vocab)}}"#,
                    #"{"model":{"type":"\#(kind)","byte_fallback":true,"unk_token":\#(other),"vocab":\#(other)}}"#,
                    #"{"model":{"type":"\#(kind)","byte_fallback":true,"vocab":\#(vocab)},"added_tokens":[{"id":\#(other),"content":"x","special":true}]}"#,
                    #"{"model":{"type":"\#(kind)","byte_fallback":true,"vocab":\#(vocab)},"normalizer":{"type":"Precompiled","precompiled_charsmap":\#(other)}}"#,
                ] {
                    var files = Self.json
                    files[1].text = text
                    let folder = try Self.folder(files)
                    defer { try? FileManager.default.removeItem(atPath: folder) }
                    tally.add(try Self.run(folder))
                }
            }
        }
        tally.check()
    }

    @Test func `a safetensors file of any values is refused or runs`() throws {
        func run(_ weights: [UInt8]) throws -> Bool {
            let folder = try Self.folder(Self.json, weights: weights)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            return try Self.run(folder)
        }
        var tally = Tally()
        var random = Random(state: Self.seed)
        for other in Self.extremeJSON {
            for variant in Self.variants(Self.header, other).shuffled(using: &random).prefix(
                12 * Self.rounds)
            {
                tally.add(try run(Self.safetensors(variant)))
            }
        }
        tally.check()
        for length in [
            0, 1, 7, UInt64(Self.header.utf8.count) - 1, 1 << 31, 1 << 62, 1 << 63, .max,
        ] as [UInt64] {
            #expect(try !run(Self.safetensors(Self.header, length: length)))
        }
        // A name that stands there twice, whichever of the two is meant.
        let twice =
            "{"
            + (Self.weights.header + [Self.weights.header[0]]).map { "\"\($0.name)\":\($0.text)" }
            .joined(
                separator: ",") + "}"
        #expect(try !run(Self.safetensors(twice)))
        let sound = Self.safetensors(Self.header)
        for _ in 0..<200 * Self.rounds {
            var bytes = sound
            for _ in 0..<2 {
                bytes[Int.random(in: 0..<Self.header.utf8.count + 8, using: &random)] =
                    UInt8.random(
                        in: 0...255, using: &random)
            }
            if Bool.random(using: &random) {
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            }
            _ = try run(bytes)
        }
    }
}
