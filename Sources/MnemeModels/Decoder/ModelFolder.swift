import Foundation
public import MnemeNumerics

/// A model in a folder as the hub has it: `config.json`, safetensors (one file or an index of several), `tokenizer.json`.
public final class ModelFolder: Sendable {
    /// The folder.
    public let path: String
    /// The decoder that `config.json` describes.
    public let configuration: DecoderConfiguration
    private let files: [SafetensorsFile]
    /// Which of the files holds a tensor.
    private let places: [String: Int]

    /// - Throws: ``ModelError`` for families that are not read, and files that are absent or unsound.
    public init(path: String) throws {
        self.path = path
        guard let data = FileManager.default.contents(atPath: path + "/config.json") else {
            throw ModelError(.missingFile, "\(path)/config.json is not there. Is \(path) a model's folder?")
        }
        configuration = try Self.configuration(data, path: path)
        var names = ["model.safetensors"]
        if let index = FileManager.default.contents(atPath: path + "/model.safetensors.index.json") {
            guard let object = try? JSONSerialization.jsonObject(with: index) as? [String: Any], let map = object["weight_map"] as? [String: String] else {
                throw ModelError(.invalidFile, "\(path)/model.safetensors.index.json has no weight_map. Fetch it again.")
            }
            names = Set(map.values).sorted()
            guard names.allSatisfy({ !$0.contains("/") && $0.hasSuffix(".safetensors") }) else {
                throw ModelError(.invalidFile, "\(path)/model.safetensors.index.json names files outside of the folder.")
            }
        }
        files = try names.map { try SafetensorsFile(path: path + "/" + $0) }
        var places: [String: Int] = [:]
        for (i, file) in files.enumerated() { for name in file.tensors.keys { places[name] = i } }
        self.places = places
    }

    private static func configuration(_ data: Data, path: String) throws -> DecoderConfiguration {
        let file = path + "/config.json"
        guard let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw ModelError(.invalidFile, "\(file) is not a JSON object. Fetch it again.")
        }
        func integer(_ key: String) throws -> Int {
            guard let value = json[key] as? Int else { throw ModelError(.invalidFile, "\(file) has no integer '\(key)'.") }
            return value
        }
        let families = ["llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"], type = json["model_type"] as? String ?? "unknown"
        guard let architecture = families[type] else {
            throw ModelError(.unsupported, "\(path) is a '\(type.prefix(40))' model. Models of the families llama, mistral, qwen2 and qwen3 are run.")
        }
        let activation = json["hidden_act"] as? String ?? "silu"
        guard activation == "silu" else { throw ModelError(.unsupported, "\(file) asks for the activation '\(activation.prefix(40))', which is not known.") }
        let heads = try integer("num_attention_heads"), hidden = try integer("hidden_size")
        guard heads > 0, hidden > 0 else { throw ModelError(.invalidFile, "\(file) has a size of zero.") }
        let dimension = json["head_dim"] as? Int ?? hidden / heads, context = try integer("max_position_embeddings")
        // Newer files keep everything of the rotary embedding together.
        let rope = json["rope_parameters"] as? [String: Any] ?? json["rope_scaling"] as? [String: Any] ?? [:]
        func number(_ key: String, _ standard: Double) -> Double { (rope[key] as? NSNumber)?.doubleValue ?? standard }
        let base = (rope["rope_theta"] as? NSNumber ?? json["rope_theta"] as? NSNumber)?.doubleValue ?? 10_000
        guard base > 1, base.isFinite, number("factor", 1) > 0 else { throw ModelError(.invalidFile, "\(file) has a rotary base of \(base).") }
        let original = number("original_max_position_embeddings", Double(context))
        let scaling: RotaryEmbedding.Scaling
        switch rope["rope_type"] as? String ?? rope["type"] as? String ?? "default" {
        case "default": scaling = .none
        case "linear": scaling = .linear(factor: number("factor", 1))
        case "llama3":
            scaling = .llama3(factor: number("factor", 8), low: number("low_freq_factor", 1), high: number("high_freq_factor", 4), original: original)
        case "yarn":
            scaling = .yarn(
                factor: number("factor", 1), original: original, fast: number("beta_fast", 32), slow: number("beta_slow", 1),
                magnitude: (rope["attention_factor"] as? NSNumber)?.doubleValue)
        case let other: throw ModelError(.unsupported, "\(file) stretches positions by '\(other.prefix(40))', which is not known.")
        }
        guard (2...512).contains(dimension), dimension % 2 == 0 else { throw ModelError(.unsupported, "\(file) has heads of \(dimension).") }
        let usesWindow = json["use_sliding_window"] as? Bool ?? (type == "mistral")
        return try DecoderConfiguration(
            architecture: architecture, layers: try integer("num_hidden_layers"), hiddenSize: hidden, heads: heads,
            kvHeads: json["num_key_value_heads"] as? Int ?? heads, headDimension: dimension, intermediateSize: try integer("intermediate_size"),
            vocabularySize: try integer("vocab_size"), contextLength: context,
            normEpsilon: (json["rms_norm_eps"] as? NSNumber)?.floatValue ?? 1e-6,
            rope: RotaryEmbedding(dimensions: dimension, base: base, scaling: scaling, interleaved: false),
            slidingWindow: usesWindow ? json["sliding_window"] as? Int : nil
        ).checked(path)
    }
}

extension ModelFolder: DecoderTensors {
    private func name(_ role: DecoderRole, _ layer: Int?) -> String {
        let name =
            switch role {
            case .embedding: "embed_tokens.weight"
            case .outputNorm: "norm.weight"
            case .output: "lm_head.weight"
            case .attentionNorm: "input_layernorm.weight"
            case .query: "self_attn.q_proj.weight"
            case .key: "self_attn.k_proj.weight"
            case .value: "self_attn.v_proj.weight"
            case .attentionOutput: "self_attn.o_proj.weight"
            case .queryBias: "self_attn.q_proj.bias"
            case .keyBias: "self_attn.k_proj.bias"
            case .valueBias: "self_attn.v_proj.bias"
            case .queryNorm: "self_attn.q_norm.weight"
            case .keyNorm: "self_attn.k_norm.weight"
            case .feedForwardNorm: "post_attention_layernorm.weight"
            case .gate: "mlp.gate_proj.weight"
            case .up: "mlp.up_proj.weight"
            case .down: "mlp.down_proj.weight"
            }
        if role == .output { return name }
        return layer.map { "model.layers.\($0).\(name)" } ?? "model.\(name)"
    }

    func matrix(_ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int) throws -> WeightMatrix {
        let name = name(role, layer)
        guard let place = places[name], let tensor = files[place].tensors[name] else {
            throw ModelError(.invalidFile, "\(path) has no tensor '\(name)'. Is it a whole model?")
        }
        guard tensor.shape == [outputs, inputs] else {
            throw ModelError(.invalidFile, "Tensor '\(name)' of \(path) has the shape \(tensor.shape), not \([outputs, inputs]) as config.json says.")
        }
        guard let type = ["F32": Int32(0), "F16": 1, "BF16": 30][tensor.type] else {
            throw ModelError(.unsupported, "Tensor '\(name)' of \(path) is of type \(tensor.type); F32, F16 and BF16 are read.")
        }
        return WeightMatrix(source: files[place].bytes(tensor).baseAddress!, type: type, outputs: outputs, inputs: inputs)
    }

    func vector(_ role: DecoderRole, layer: Int?, count: Int) throws -> [Float] {
        let name = name(role, layer)
        guard let place = places[name] else { throw ModelError(.invalidFile, "\(path) has no tensor '\(name)'. Is it a whole model?") }
        return try files[place].floats(name, shape: [count]).array
    }

    func has(_ role: DecoderRole, layer: Int?) -> Bool { places[name(role, layer)] != nil }
}

extension TransformerDecoder {
    /// Packs the weights of a folder.
    ///
    /// - Throws: ``ModelError``.
    public convenience init(_ folder: ModelFolder, stepTokens: Int = 512, stepLogits: Int = 64, pool: ThreadPool = .shared) throws {
        try self.init(folder, folder.configuration, stepTokens: stepTokens, stepLogits: stepLogits, pool: pool)
    }
}
