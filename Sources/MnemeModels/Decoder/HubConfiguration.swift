import Foundation
import MnemeBase

/// `config.json` of a model's folder as the hub has it (Hugging Face transformers' settings).
///
/// Settings that a file leaves out have the defaults of transformers' configuration classes for the
/// family.
struct HubConfiguration {
    private let file: String
    /// The settings of the language model, which files of models that also see images keep apart.
    private let json: [String: Any]

    /// - Throws: ``ModelError`` if there is none, or it is not a JSON object.
    init(folder: String) throws {
        file = folder + "/config.json"
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ModelError(.missingFile, "\(file) is not there. Is \(folder) a model's folder?")
        }
        guard let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw ModelError(.invalidFile, "\(file) is not a JSON object. Fetch it again.")
        }
        // Models that also see images keep the language model's settings apart.
        self.json = json["text_config"] as? [String: Any] ?? json
    }

    /// Families that are run, by the hub's name, with GGUF's name.
    static let families = [
        "llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3",
        "gemma2": "gemma2",
        "gemma3": "gemma3", "gemma3_text": "gemma3",
        "phi3": "phi3",
    ]

    /// An integer that the family cannot do without.
    private func integer(_ key: String) throws -> Int {
        guard let value = json[key] as? Int else {
            throw ModelError(.invalidFile, "\(file) has no integer '\(key)'.")
        }
        return value
    }

    /// A number that has a default.
    private func number(_ key: String) -> Double? { (json[key] as? NSNumber)?.doubleValue }

    /// - Parameter context: the context that the model shall run with; nil takes the file's.
    /// - Throws: ``ModelError`` for families that are not read and sizes that cannot be.
    func decoder(context wanted: Int?) throws -> DecoderConfiguration {
        let type = json["model_type"] as? String ?? "unknown"
        guard let architecture = Self.families[type] else {
            throw ModelError(
                .unsupported,
                "\(file) describes a '\(type.prefix(40))' model. \(DecoderConfiguration.familiesAreRun)"
            )
        }
        // Gemma's files name the activation apart; all of its models use GELU.
        let isGemma = architecture.hasPrefix("gemma")
        let activation =
            json["hidden_activation"] as? String ?? json["hidden_act"] as? String ?? "silu"
        guard activation == "silu" || isGemma else {
            throw ModelError(
                .unsupported,
                "\(file) asks for the activation '\(activation.prefix(40))', which is not known.")
        }
        let heads = try integer("num_attention_heads")
        let hidden = try integer("hidden_size")
        let layers = try integer("num_hidden_layers")
        guard heads > 0, hidden > 0 else {
            throw ModelError(.invalidFile, "\(file) has a size of zero.")
        }
        let dimension = json["head_dim"] as? Int ?? (isGemma ? 256 : hidden / heads)
        let trained = try integer("max_position_embeddings")
        guard DecoderConfiguration.headDimensions.contains(dimension), dimension % 2 == 0 else {
            throw ModelError(.unsupported, "\(file) has heads of \(dimension).")
        }
        guard trained > 0, wanted.map({ $0 > 0 }) ?? true else {
            throw ModelError(.invalidFile, "\(file) has a context of zero.")
        }
        // Newer files keep everything of the rotary embedding together, and one set for each kind
        // of layer where there are two.
        let settings =
            json["rope_parameters"] as? [String: Any] ?? json["rope_scaling"] as? [String: Any]
            ?? [:]
        let global = settings["full_attention"] as? [String: Any] ?? settings
        let context = wanted ?? trained
        func rope(_ settings: [String: Any], base: Double) throws -> RotaryEmbedding {
            try self.rope(
                settings, dimension: dimension, base: base, trained: trained, context: context)
        }
        var c = DecoderConfiguration(
            architecture: architecture, layers: layers, hiddenSize: hidden, heads: heads,
            kvHeads: json["num_key_value_heads"] as? Int ?? heads,
            headDimension: dimension, intermediateSize: try integer("intermediate_size"),
            vocabularySize: try integer("vocab_size"),
            contextLength: context, normEpsilon: Float(number("rms_norm_eps") ?? 1e-6),
            rope: try rope(
                global,
                base: number("rope_theta") ?? (architecture == "gemma3" ? 1_000_000 : 10_000)))
        if json["use_sliding_window"] as? Bool ?? !architecture.hasPrefix("qwen") {
            c.slidingWindow = json["sliding_window"] as? Int
        }
        if let types = json["layer_types"] as? [String] {
            c.windowedLayers = .listed(types.map { $0 == "sliding_attention" })
        } else if isGemma {
            c.windowedLayers = .allButEvery(
                json["sliding_window_pattern"] as? Int ?? (architecture == "gemma2" ? 2 : 6))
        } else if let full = json["max_window_layers"] as? Int {
            c.windowedLayers = .listed((0..<max(0, min(layers, 1024))).map { $0 >= full })
        }
        if isGemma {
            c.activation = .gelu
            c.embeddingScale = Float(hidden).squareRoot()
            c.attentionScale = Float(1 / (number("query_pre_attn_scalar") ?? 256).squareRoot())
            c.attentionCap = number("attn_logit_softcapping").map { Float($0) }
            c.logitCap = number("final_logit_softcapping").map { Float($0) }
        }
        if architecture == "gemma3" {
            c.localRope = try rope(
                settings["sliding_attention"] as? [String: Any] ?? [:],
                base: number("rope_local_base_freq") ?? 10_000)
        }
        return try c.checked(file)
    }

    private func rope(
        _ rope: [String: Any], dimension: Int, base standard: Double, trained: Int, context: Int
    ) throws
        -> RotaryEmbedding
    {
        func given(_ key: String) -> Double? { (rope[key] as? NSNumber)?.doubleValue }
        let base = given("rope_theta") ?? standard
        let factor = given("factor") ?? 1
        let trained = Double(trained)
        let original =
            given("original_max_position_embeddings") ?? number("original_max_position_embeddings")
            ?? trained
        let share = given("partial_rotary_factor") ?? number("partial_rotary_factor") ?? 1
        guard base > 1, base.isFinite, factor > 0, factor.isFinite, original >= 1,
            (0.0...1).contains(share)
        else {
            throw ModelError(
                .invalidFile, "\(file) has a rotary base of \(base), stretched by \(factor).")
        }
        let rotated = Int(Double(dimension) * share) / 2 * 2
        let scaling: RotaryEmbedding.Scaling
        switch rope["rope_type"] as? String ?? rope["type"] as? String ?? "default" {
        case "default": scaling = .none
        case "linear": scaling = .linear(factor: factor)
        case "dynamic": scaling = .ntk(factor: factor, original: trained, context: Double(context))
        case "llama3":
            scaling = .llama3(
                factor: given("factor") ?? 8, low: given("low_freq_factor") ?? 1,
                high: given("high_freq_factor") ?? 4,
                original: original)
        case "yarn":
            scaling = .yarn(
                factor: factor, original: original, fast: given("beta_fast") ?? 32,
                slow: given("beta_slow") ?? 1,
                magnitude: given("attention_factor"))
        case "longrope", "su":
            func divisors(_ key: String) throws -> [Double] {
                let values = (rope[key] as? [NSNumber] ?? []).map(\.doubleValue)
                guard values.count == rotated / 2, values.allSatisfy({ $0 > 0 && $0.isFinite })
                else {
                    throw ModelError(
                        .invalidFile,
                        "\(file) has \(values.count) sound values in '\(key)', not \(rotated / 2).")
                }
                return values
            }
            scaling = .longRope(
                short: try divisors("short_factor"), long: try divisors("long_factor"),
                original: original,
                context: Double(context),
                factor: given("factor") ?? trained / original, magnitude: given("attention_factor"))
        case let other:
            throw ModelError(
                .unsupported,
                "\(file) stretches positions by '\(other.prefix(40))', which is not known.")
        }
        return RotaryEmbedding(
            dimensions: rotated, base: base, scaling: scaling, interleaved: false)
    }
}

extension DecoderConfiguration {
    /// A sentence for messages about other families.
    static let familiesAreRun =
        "Models of the families llama (also Mistral and SmolLM), qwen2, qwen3, gemma2, gemma3 and phi3 are run."
}
