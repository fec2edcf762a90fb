import Foundation
import MnemeBase
package import MnemeNumerics

extension GGUFFile {
    /// The decoder that the header describes.
    ///
    /// - Parameter context: tokens that the model shall run with; nil takes the file's. Where
    ///   positions are stretched by need (LongRoPE), it decides how far.
    /// - Throws: ``ModelError`` for families that are not read and headers that lack a size.
    public func decoderConfiguration(context wanted: Int? = nil) throws -> DecoderConfiguration {
        guard let architecture = string("general.architecture") else {
            throw ModelError(.invalidFile, "\(path) does not name its architecture.")
        }
        guard HubConfiguration.families.values.contains(architecture) else {
            throw ModelError(
                .unsupported,
                "\(path) is a '\(architecture.prefix(40))' model. \(DecoderConfiguration.familiesAreRun)"
            )
        }
        func setting(_ key: String) -> Double? { number("\(architecture).\(key)") }
        func size(_ key: String) throws -> Int {
            guard let value = integer("\(architecture).\(key)") else {
                throw ModelError(.invalidFile, "\(path) has no '\(architecture).\(key)'.")
            }
            return value
        }
        if (integer("\(architecture).expert_count") ?? 0) > 0 {
            throw ModelError(.unsupported, "\(path) is a mixture of experts, which is not run yet.")
        }
        guard let embedding = tensors["token_embd.weight"], embedding.shape.count == 2 else {
            throw ModelError(
                .invalidFile, "\(path) has no matrix 'token_embd.weight'. Is it a whole model?")
        }
        let hidden = try size("embedding_length")
        let heads = try size("attention.head_count")
        let layers = try size("block_count")
        guard heads > 0, hidden > 0, wanted.map({ $0 > 0 }) ?? true else {
            throw ModelError(.invalidFile, "\(path) has a size of zero.")
        }
        let dimension = integer("\(architecture).attention.key_length") ?? hidden / heads
        let context = try wanted ?? size("context_length")
        var c = DecoderConfiguration(
            architecture: architecture, layers: layers, hiddenSize: hidden, heads: heads,
            kvHeads: integer("\(architecture).attention.head_count_kv") ?? heads,
            headDimension: dimension,
            intermediateSize: try size("feed_forward_length"), vocabularySize: embedding.shape[0],
            contextLength: context,
            normEpsilon: Float(setting("attention.layer_norm_rms_epsilon") ?? 1e-5),
            rope: try rope(architecture, dimension, context: context))
        c.slidingWindow = integer("\(architecture).attention.sliding_window").flatMap {
            $0 > 0 ? $0 : nil
        }
        // What follows is the same in all models of a family, so that files do not say it.
        if architecture.hasPrefix("gemma") {
            c.activation = .gelu
            c.embeddingScale = Float(hidden).squareRoot()
            c.attentionCap = setting("attn_logit_softcapping").map { Float($0) }
            c.logitCap = setting("final_logit_softcapping").map { Float($0) }
            c.windowedLayers = .allButEvery(architecture == "gemma2" ? 2 : 6)
            // The models of 27 billion weights scale by the width for each head instead of the
            // head's own.
            if layers == (architecture == "gemma2" ? 46 : 62) {
                c.attentionScale = 1 / Float(hidden / heads).squareRoot()
            }
        }
        if architecture == "gemma3" {
            c.localRope = RotaryEmbedding(dimensions: dimension, base: 10_000, interleaved: false)
        }
        return try c.checked(path)
    }

    /// The rotary embedding by the header's keys, and LongRoPE's divisors, which are tensors.
    ///
    /// - Throws: ``ModelError`` for scalings that are not known.
    private func rope(_ architecture: String, _ dimension: Int, context: Int) throws
        -> RotaryEmbedding
    {
        func setting(_ key: String) -> Double? { number("\(architecture).rope.\(key)") }
        let rotated = integer("\(architecture).rope.dimension_count") ?? dimension
        guard DecoderConfiguration.headDimensions.contains(dimension),
            (2...dimension).contains(rotated),
            rotated % 2 == 0
        else {
            throw ModelError(
                .invalidFile, "\(path) rotates \(rotated) elements of heads of \(dimension).")
        }
        let base = setting("freq_base") ?? 10_000
        let factor = setting("scaling.factor") ?? 1
        let trained = number("\(architecture).context_length") ?? 0
        let original = setting("scaling.original_context_length") ?? trained
        guard base > 1, base.isFinite, factor > 0, factor.isFinite, original >= 1 else {
            throw ModelError(
                .invalidFile, "\(path) has a rotary base of \(base), stretched by \(factor).")
        }
        // A set of LongRoPE's divisors, one for each pair; nil if the file has none.
        func divisors(_ name: String) throws -> [Double]? {
            guard tensors[name] != nil else { return nil }
            let values = try floats(name, shape: [rotated / 2]).map { Double($0) }
            guard values.allSatisfy({ $0 > 0 && $0.isFinite }) else {
                throw ModelError(.invalidFile, "'\(name)' of \(path) is not sound. Fetch it again.")
            }
            return values
        }
        let scaling: RotaryEmbedding.Scaling
        // Llama 3.1 writes its stretching as one divisor for each frequency, LongRoPE as two.
        if let values = try divisors("rope_freqs.weight") {
            scaling = .divided(by: values, magnitude: 1)
        } else if let short = try divisors("rope_factors_short.weight"),
            let long = try divisors("rope_factors_long.weight")
        {
            scaling = .longRope(
                short: short, long: long, original: original, context: Double(context),
                factor: trained / original,
                magnitude: setting("scaling.attn_factor"))
        } else {
            switch string("\(architecture).rope.scaling.type") ?? "none" {
            case "none": scaling = .none
            case "linear": scaling = .linear(factor: factor)
            case "yarn":
                scaling = .yarn(
                    factor: factor, original: original, fast: 32, slow: 1, magnitude: nil)
            case let other:
                throw ModelError(
                    .unsupported,
                    "\(path) stretches positions by '\(other.prefix(40))', which is not known.")
            }
        }
        return RotaryEmbedding(
            dimensions: rotated, base: base, scaling: scaling, interleaved: architecture == "llama")
    }
}

/// Matrices are packed straight from the mapped file, whose pages are given back behind each: the
/// file and the packed weights are never in memory as a whole together.
extension GGUFFile: DecoderTensors {
    /// The tensor's name in GGUF files, which is the same for all families.
    private func name(_ role: DecoderRole, _ layer: Int?) -> String {
        let name =
            switch role {
            case .embedding: "token_embd.weight"
            case .outputNorm: "output_norm.weight"
            case .output: "output.weight"
            case .attentionNorm: "attn_norm.weight"
            case .query: "attn_q.weight"
            case .key: "attn_k.weight"
            case .value: "attn_v.weight"
            case .attentionOutput: "attn_output.weight"
            case .queryBias: "attn_q.bias"
            case .keyBias: "attn_k.bias"
            case .valueBias: "attn_v.bias"
            case .queryKeyValue: "attn_qkv.weight"
            case .queryNorm: "attn_q_norm.weight"
            case .keyNorm: "attn_k_norm.weight"
            case .attentionPostNorm: "post_attention_norm.weight"
            case .feedForwardPostNorm: "post_ffw_norm.weight"
            case .feedForwardNorm: "ffn_norm.weight"
            case .gate: "ffn_gate.weight"
            case .up, .gateUp: "ffn_up.weight"
            case .down: "ffn_down.weight"
            }
        return layer.map { "blk.\($0).\(name)" } ?? name
    }

    package func matrix(
        _ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int, rows: Range<Int>?
    ) throws
        -> WeightMatrix
    {
        defer { discardPages() }
        let stored = try stored(role, layer: layer, outputs: outputs, inputs: inputs, rows: rows)
        let tensor = try tensor(name(role, layer), shape: [outputs, inputs])
        guard let block = block(of: tensor) else { return stored.packed() }
        // What several models have in common is packed once.
        let rows = rows ?? 0..<outputs
        let name = "\(block.hash) \(tensor.name.dropFirst(block.prefix.count)) \(rows)"
        return SharedMatrices.matrix(name) { stored.packed() }
    }

    package func stored(
        _ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int, rows: Range<Int>?
    ) throws -> StoredMatrix {
        let tensor = try tensor(name(role, layer), shape: [outputs, inputs])
        guard WeightMatrix.isSupported(type: tensor.type, inputs: inputs),
            let shape = blockShape(type: tensor.type)
        else {
            throw ModelError(
                .unsupported,
                "Tensor '\(tensor.name)' of \(path) has rows of \(inputs), which cannot be packed.")
        }
        let rows = rows ?? 0..<outputs
        let start = rows.lowerBound * inputs / shape.weights * shape.bytes
        return StoredMatrix(
            bytes(tensor).baseAddress! + start, type: tensor.type, outputs: rows.count,
            inputs: inputs, owner: mapping(of: tensor))
    }

    package func vector(_ role: DecoderRole, layer: Int?, count: Int) throws -> [Float] {
        try floats(name(role, layer), shape: [count])
    }

    package func has(_ role: DecoderRole, layer: Int?) -> Bool {
        // A gate and its partner share the partner's name.
        if role == .gateUp, tensors[name(.gate, layer)] != nil { return false }
        return tensors[name(role, layer)] != nil
    }
}
