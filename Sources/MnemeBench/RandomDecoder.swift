import Foundation
import MnemeBase
import MnemeFormats

/// A small Llama of random weights with a tokenizer of characters, written as a folder: a base for
/// measurements and tests of training that need no model from elsewhere.
package struct RandomDecoder {
    /// Layers.
    package var layers = 6
    /// Floats of the stream; four query heads share it, and two key-value heads half of it.
    package var hidden = 64
    /// Channels of the feed-forward.
    package var wide = 160
    /// Of the weights: the first layers of a deeper model are those of one that is less deep.
    package var seed: UInt64 = 1
    /// The layers that are written, under numbers from 0 on; all if nil.
    package var only: [Int]?

    /// Six layers.
    package init() {}

    /// Calls `body` with a folder that holds one of six layers, and is gone afterwards.
    ///
    /// - Throws: `FileError`, and what `body` throws.
    package static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = NSTemporaryDirectory() + "mneme-random-" + UUID().uuidString
        try Privacy.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try RandomDecoder().write(to: folder)
        return try body(folder)
    }

    /// Writes config.json, model.safetensors and the tokenizer's files to a folder that is there.
    ///
    /// - Throws: `FileError`.
    package func write(to folder: String) throws {
        let tokens = ["Ċ", "Ġ"] + (33...126).map { String(UnicodeScalar(UInt8($0))) } + Self.marks
        try SafetensorsWriter.write(weights(vocabulary: tokens.count), to: folder + "/model.safetensors")
        let ids = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { ($1, $0) })
        let tokenizer: [String: Any] = [
            "model": ["type": "BPE", "vocab": ids, "merges": [String]()] as [String: Any],
            "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false] as [String: Any],
            "added_tokens": Self.marks.map {
                ["id": ids[$0] ?? 0, "content": $0, "special": true] as [String: Any]
            },
        ]
        let configuration: [String: Any] = [
            "model_type": "llama", "rope_theta": 10000.0, "tie_word_embeddings": true,
            "vocab_size": tokens.count, "hidden_size": hidden, "intermediate_size": wide,
            "num_hidden_layers": only?.count ?? layers, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "hidden_act": "silu",
        ]
        let template =
            "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
            + "{{ '<|im_start|>assistant\\n' }}"
        let files: [(String, [String: Any])] = [
            ("config", configuration), ("tokenizer", tokenizer),
            ("tokenizer_config", ["eos_token": "<|im_end|>", "chat_template": template]),
        ]
        for (name, value) in files {
            try AtomicFile.write(
                try JSONSerialization.data(withJSONObject: value), to: "\(folder)/\(name).json")
        }
    }

    private static let marks = ["<|im_start|>", "<|im_end|>"]

    /// Normal numbers, of a deviation that keeps the stream's size from layer to layer.
    private func weights(vocabulary: Int) -> [SafetensorsWriter.Tensor] {
        var generator = SplitMix64(seed: SplitMix64.mixed(seed))
        func matrix(_ name: String, _ outputs: Int, _ inputs: Int) -> SafetensorsWriter.Tensor {
            let deviation = 1 / Double(inputs).squareRoot()
            let values = (0..<outputs * inputs).map { _ in
                // The sum of four even numbers is near enough to a normal one.
                let sum = (0..<4).reduce(0.0) { sum, _ in sum + generator.unit() - 0.5 }
                return Float(sum * 3.0.squareRoot() * deviation)
            }
            return SafetensorsWriter.Tensor(name, shape: [outputs, inputs], values: values)
        }
        func ones(_ name: String) -> SafetensorsWriter.Tensor {
            SafetensorsWriter.Tensor(name, shape: [hidden], values: [Float](repeating: 1, count: hidden))
        }
        var all = [matrix("model.embed_tokens.weight", vocabulary, hidden), ones("model.norm.weight")]
        for layer in 0..<layers {
            let number = only.map { $0.firstIndex(of: layer) } ?? layer
            let at = "model.layers.\(number ?? 0)."
            let tensors = [
                ones(at + "input_layernorm.weight"), ones(at + "post_attention_layernorm.weight"),
                matrix(at + "self_attn.q_proj.weight", hidden, hidden),
                matrix(at + "self_attn.k_proj.weight", hidden / 2, hidden),
                matrix(at + "self_attn.v_proj.weight", hidden / 2, hidden),
                matrix(at + "self_attn.o_proj.weight", hidden, hidden),
                matrix(at + "mlp.gate_proj.weight", wide, hidden),
                matrix(at + "mlp.up_proj.weight", wide, hidden),
                matrix(at + "mlp.down_proj.weight", hidden, wide),
            ]
            if number != nil { all += tensors }
        }
        return all
    }
}
