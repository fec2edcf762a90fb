import Foundation
import MnemeNumerics

extension GGUFFile {
    /// The decoder that the header describes.
    ///
    /// - Throws: ``ModelError`` for families that are not read and headers that lack a size.
    public func decoderConfiguration() throws -> DecoderConfiguration {
        guard let architecture = string("general.architecture") else { throw ModelError(.invalidFile, "\(path) does not name its architecture.") }
        guard ["llama", "qwen2", "qwen3"].contains(architecture) else {
            throw ModelError(
                .unsupported, "\(path) is a '\(architecture)' model. Models of the families llama (also Mistral, SmolLM), qwen2 and qwen3 are run.")
        }
        func size(_ key: String) throws -> Int {
            guard let value = integer("\(architecture).\(key)") else { throw ModelError(.invalidFile, "\(path) has no '\(architecture).\(key)'.") }
            return value
        }
        if (integer("\(architecture).expert_count") ?? 0) > 0 {
            throw ModelError(.unsupported, "\(path) is a mixture of experts, which is not run yet.")
        }
        guard let embedding = tensors["token_embd.weight"], embedding.shape.count == 2 else {
            throw ModelError(.invalidFile, "\(path) has no matrix 'token_embd.weight'. Is it a whole model?")
        }
        let hidden = try size("embedding_length"), heads = try size("attention.head_count")
        guard heads > 0, hidden > 0 else { throw ModelError(.invalidFile, "\(path) has a size of zero.") }
        let headDimension = integer("\(architecture).attention.key_length") ?? hidden / heads
        let dimensions = integer("\(architecture).rope.dimension_count") ?? headDimension
        guard (2...headDimension).contains(dimensions), dimensions % 2 == 0 else {
            throw ModelError(.invalidFile, "\(path) rotates \(dimensions) elements of heads of \(headDimension).")
        }
        let base = number("\(architecture).rope.freq_base") ?? 10_000, context = try size("context_length")
        let factor = number("\(architecture).rope.scaling.factor") ?? 1
        var scaling = RotaryEmbedding.Scaling.none
        switch string("\(architecture).rope.scaling.type") ?? "none" {
        case "none": break
        case "linear": scaling = .linear(factor: factor)
        case "yarn":
            scaling = .yarn(
                factor: factor, original: number("\(architecture).rope.scaling.original_context_length") ?? Double(context), fast: 32, slow: 1, magnitude: nil)
        case let other: throw ModelError(.unsupported, "\(path) stretches positions by '\(other.prefix(40))', which is not known.")
        }
        guard base > 1, base.isFinite, factor > 0, factor.isFinite else { throw ModelError(.invalidFile, "\(path) has a rotary base of \(base).") }
        var rope = RotaryEmbedding(dimensions: dimensions, base: base, scaling: scaling, interleaved: architecture == "llama")
        // Llama 3.1 writes its stretching as a factor for each frequency.
        if tensors["rope_freqs.weight"] != nil {
            let factors = try floats("rope_freqs.weight", shape: [dimensions / 2])
            rope.frequencies = zip(rope.frequencies, factors).map { $0 / Double($1) }
        }
        return try DecoderConfiguration(
            architecture: architecture, layers: try size("block_count"), hiddenSize: hidden, heads: heads,
            kvHeads: integer("\(architecture).attention.head_count_kv") ?? heads, headDimension: headDimension,
            intermediateSize: try size("feed_forward_length"), vocabularySize: embedding.shape[0], contextLength: context,
            normEpsilon: Float(number("\(architecture).attention.layer_norm_rms_epsilon") ?? 1e-5), rope: rope,
            slidingWindow: integer("\(architecture).attention.sliding_window")
        ).checked(path)
    }
}

extension GGUFFile: DecoderTensors {
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
            case .queryNorm: "attn_q_norm.weight"
            case .keyNorm: "attn_k_norm.weight"
            case .feedForwardNorm: "ffn_norm.weight"
            case .gate: "ffn_gate.weight"
            case .up: "ffn_up.weight"
            case .down: "ffn_down.weight"
            }
        return layer.map { "blk.\($0).\(name)" } ?? name
    }

    func matrix(_ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int) throws -> WeightMatrix {
        let tensor = try tensor(name(role, layer), shape: [outputs, inputs])
        guard WeightMatrix.isSupported(type: tensor.type, inputs: inputs) else {
            throw ModelError(.unsupported, "Tensor '\(tensor.name)' of \(path) has rows of \(inputs), which cannot be packed.")
        }
        defer { file.discardPages() }
        return WeightMatrix(source: bytes(tensor).baseAddress!, type: tensor.type, outputs: outputs, inputs: inputs)
    }

    func vector(_ role: DecoderRole, layer: Int?, count: Int) throws -> [Float] { try floats(name(role, layer), shape: [count]) }
    func has(_ role: DecoderRole, layer: Int?) -> Bool { tensors[name(role, layer)] != nil }
}
