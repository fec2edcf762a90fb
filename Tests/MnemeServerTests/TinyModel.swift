import Foundation
import MnemeEngine
import MnemeKV
import MnemeModels

/// A language model of two layers with random weights, written as a folder as the hub has it: what
/// it says means nothing, but all that a chat passes through is there, from the template to the KV
/// cache.
///
/// Its vocabulary is ASCII's printable characters, a line's end and ChatML's two marks. It gives
/// the marks no score, so that its answers are text and end at the most tokens or at a stop string.
enum TinyModel {
    private static let hidden = 64
    private static let intermediate = 96
    private static let layers = 2
    private static let heads = 4
    static let marks = ["<|im_start|>", "<|im_end|>"]
    /// In GPT-2's spelling of bytes.
    private static let characters =
        ["Ċ", "Ġ"] + (33...126).map { String(Character(Unicode.Scalar(UInt8($0)))) }
    private static var vocabulary: Int { characters.count + marks.count }

    /// The model in an engine that keeps nothing on disk; closed and removed at the end.
    ///
    /// - Parameters:
    ///   - sequences: how many run at once.
    ///   - context: tokens of a prompt and its answer.
    ///   - blocks: of keys and values; nil takes 64 MiB.
    static func with(
        sequences: Int = Engine.Limits().sequences, context: Int = 4096, blocks: Int? = nil,
        _ body: (LanguageModel, Engine) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "mneme-\(UUID().uuidString)"
        )
        .appendingPathComponent("tiny").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer {
            try? FileManager.default.removeItem(
                atPath: (folder as NSString).deletingLastPathComponent)
        }
        try write(to: folder, context: context)
        let model = try LanguageModel(path: folder, stepTokens: 64, threads: 1)
        var limits = Engine.Limits()
        limits.kvBytes =
            blocks.map { $0 * KVShape(model.decoder.configuration).blockBytes } ?? 64 << 20
        limits.sequences = sequences
        let engine = try Engine(model, limits: limits)
        defer { engine.close() }
        try await body(model, engine)
    }

    private static func write(to folder: String, context: Int) throws {
        for (name, value) in [
            "config": configuration(context), "tokenizer": tokenizer, "tokenizer_config": settings,
        ] {
            try JSONSerialization.data(withJSONObject: value)
                .write(to: URL(fileURLWithPath: "\(folder)/\(name).json"))
        }
        try weights().write(to: URL(fileURLWithPath: folder + "/model.safetensors"))
    }

    private static func configuration(_ context: Int) -> [String: Any] {
        [
            "model_type": "llama", "hidden_size": hidden, "intermediate_size": intermediate,
            "num_hidden_layers": layers, "num_attention_heads": heads,
            "num_key_value_heads": heads / 2,
            "vocab_size": vocabulary, "max_position_embeddings": context, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "hidden_act": "silu",
        ]
    }

    private static var tokenizer: [String: Any] {
        let ids = Dictionary(
            uniqueKeysWithValues: (characters + marks).enumerated().map { ($1, $0) })
        return [
            "model": ["type": "BPE", "vocab": ids, "merges": [String]()] as [String: Any],
            "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false] as [String: Any],
            "added_tokens": marks.map {
                ["id": ids[$0] ?? 0, "content": $0, "special": true] as [String: Any]
            },
        ]
    }

    private static var settings: [String: Any] {
        ["eos_token": "<|im_end|>", "chat_template": template]
    }

    private static let template = """
        {% for message in messages %}<|im_start|>{{ message['role'] }}
        {{ message['content'] }}<|im_end|>
        {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
        {% endif %}
        """

    private static func weights() throws -> Data {
        let kv = hidden / 2
        var shapes = [
            "model.embed_tokens.weight": [vocabulary, hidden],
            "lm_head.weight": [vocabulary, hidden],
            "model.norm.weight": [hidden],
        ]
        for layer in 0..<layers {
            let parts = [
                "self_attn.q_proj": [hidden, hidden], "self_attn.k_proj": [kv, hidden],
                "self_attn.v_proj": [kv, hidden], "self_attn.o_proj": [hidden, hidden],
                "mlp.gate_proj": [intermediate, hidden], "mlp.up_proj": [intermediate, hidden],
                "mlp.down_proj": [hidden, intermediate], "input_layernorm": [hidden],
                "post_attention_layernorm": [hidden],
            ]
            for (name, shape) in parts { shapes["model.layers.\(layer).\(name).weight"] = shape }
        }
        var header: [String: Any] = [:]
        var data = Data()
        for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
            let start = data.count
            values(name, shape).withUnsafeBytes { data.append(contentsOf: $0) }
            header[name] =
                ["dtype": "F32", "shape": shape, "data_offsets": [start, data.count]]
                as [String: Any]
        }
        let json = try JSONSerialization.data(withJSONObject: header)
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) } + json + data
    }

    /// The same on every machine: the generator begins with a hash of the tensor's name.
    private static func values(_ name: String, _ shape: [Int]) -> [Float] {
        var state: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let count = shape.reduce(1, *)
        let scored = name == "lm_head.weight" ? characters.count * hidden : count
        return (0..<count).map { i in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = (Float(state >> 40) / 16_777_216 - 0.5) * 0.25
            return i >= scored ? 0 : name.contains("norm") ? value + 1 : value
        }
    }
}
