import Foundation
import MnemeBase
public import MnemeNumerics

/// A model in a folder as the hub has it: `config.json`, safetensors (one file or an index of
/// several), `tokenizer.json`.
public final class ModelFolder: Sendable {
    /// The folder.
    public let path: String
    /// The decoder that `config.json` describes.
    public let configuration: DecoderConfiguration
    private let files: [SafetensorsFile]
    /// The index in ``files`` of the file that holds a tensor.
    private let fileIndexes: [String: Int]
    /// The prefix of all names: `model.` or longer, where the model also sees images.
    private let prefix: String

    /// - Parameters:
    ///   - path: the folder.
    ///   - context: tokens that the model shall run with; nil takes the file's. Where
    ///     positions are stretched by need (NTK, LongRoPE), it decides how far.
    /// - Throws: `ModelError` for families that are not read, and files that are absent or
    ///   unsound.
    public init(path: String, context: Int? = nil) throws {
        self.path = path
        configuration = try HubConfiguration(folder: path).decoder(context: context)
        var names = ["model.safetensors"]
        if let index = FileManager.default.contents(atPath: path + "/model.safetensors.index.json") {
            guard let object = try? JSONSerialization.jsonObject(with: index) as? [String: Any],
                let map = object["weight_map"] as? [String: String]
            else {
                throw ModelError(
                    .invalidFile,
                    "\(path)/model.safetensors.index.json has no weight_map. Fetch it again.")
            }
            names = Set(map.values).sorted()
            guard names.allSatisfy({ !$0.contains("/") && $0.hasSuffix(".safetensors") }) else {
                throw ModelError(
                    .invalidFile,
                    "\(path)/model.safetensors.index.json names files outside of the folder.")
            }
        }
        files = try names.map { try SafetensorsFile(path: path + "/" + $0) }
        var fileIndexes: [String: Int] = [:]
        for (i, file) in files.enumerated() { for name in file.tensors.keys { fileIndexes[name] = i } }
        self.fileIndexes = fileIndexes
        let ending = "embed_tokens.weight"
        prefix = String(
            fileIndexes.keys.first { $0.hasSuffix(ending) }?.dropLast(ending.count) ?? "model.")
    }
}

extension ModelFolder {
    /// Tensors: name, type, extents (the slowest first), bytes.
    public var tensors: [(name: String, type: String, shape: [Int], bytes: Int)] {
        files.flatMap { file in
            file.tensors.map { ($0.key, $0.value.type, $0.value.shape, $0.value.range.count) }
        }
    }

    /// All weights of a tensor.
    func floats(_ name: String) throws -> [Float] {
        guard let index = fileIndexes[name], let tensor = files[index].tensors[name] else {
            throw ModelError(.invalidFile, "\(path) has no tensor '\(name)'.")
        }
        return try files[index].floats(name, shape: tensor.shape).array
    }
}

/// Names are transformers' own; most families share them.
extension ModelFolder: DecoderTensors {
    /// The types of weights that are read, by the names that safetensors files use.
    private static let types: [String: GGMLType] = ["F32": .f32, "F16": .f16, "BF16": .bf16]
    /// Gemma's folders have a name of their own for some norms, and keep norms less 1.
    private var isGemma: Bool { configuration.architecture.hasPrefix("gemma") }

    /// The tensor's name by its role; nil for roles that no tensor of the family plays.
    private func name(_ role: DecoderRole, _ layer: Int?) -> String? {
        let name: String? =
            switch role {
            case .embedding: "embed_tokens.weight"
            case .outputNorm: "norm.weight"
            case .output: "lm_head.weight"
            case .attentionNorm: "input_layernorm.weight"
            case .query: "self_attn.q_proj.weight"
            case .key: "self_attn.k_proj.weight"
            case .value: "self_attn.v_proj.weight"
            case .queryKeyValue: "self_attn.qkv_proj.weight"
            case .attentionOutput: "self_attn.o_proj.weight"
            case .queryBias: "self_attn.q_proj.bias"
            case .keyBias: "self_attn.k_proj.bias"
            case .valueBias: "self_attn.v_proj.bias"
            case .queryNorm: "self_attn.q_norm.weight"
            case .keyNorm: "self_attn.k_norm.weight"
            case .attentionPostNorm: isGemma ? "post_attention_layernorm.weight" : nil
            case .feedForwardNorm:
                isGemma ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight"
            case .feedForwardPostNorm: isGemma ? "post_feedforward_layernorm.weight" : nil
            case .gate: "mlp.gate_proj.weight"
            case .up: "mlp.up_proj.weight"
            case .gateUp: "mlp.gate_up_proj.weight"
            case .down: "mlp.down_proj.weight"
            }
        guard let name, role != .output else { return name }
        return prefix + (layer.map { "layers.\($0)." } ?? "") + name
    }

    /// The file that holds a role's tensor, and the tensor's name.
    private func tensorFile(_ role: DecoderRole, _ layer: Int?) throws -> (
        file: SafetensorsFile, name: String
    ) {
        let name = name(role, layer)
        guard let name, let index = fileIndexes[name] else {
            throw ModelError(
                .invalidFile, "\(path) has no tensor '\(name ?? "\(role)")'. Is it a whole model?")
        }
        return (files[index], name)
    }

    package func matrix(
        _ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int, rows: Range<Int>?
    ) throws
        -> WeightMatrix
    { try stored(role, layer: layer, outputs: outputs, inputs: inputs, rows: rows).packed() }

    package func stored(
        _ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int, rows: Range<Int>?
    ) throws -> StoredMatrix {
        let (file, name) = try tensorFile(role, layer)
        guard let tensor = file.tensors[name], tensor.shape == [outputs, inputs] else {
            throw ModelError(
                .invalidFile,
                "Tensor '\(name)' of \(path) has the shape \(file.tensors[name]?.shape ?? []), not \([outputs, inputs]) as config.json says."
            )
        }
        guard let type = Self.types[tensor.type], let shape = blockShape(type: type) else {
            throw ModelError(
                .unsupported,
                "Tensor '\(name)' of \(path) is of type \(tensor.type); F32, F16 and BF16 are read."
            )
        }
        // Rows of a joint matrix (Phi-3) are packed as matrices of their own.
        let rows = rows ?? 0..<outputs
        return StoredMatrix(
            file.bytes(tensor).baseAddress! + rows.lowerBound * inputs * shape.bytes, type: type,
            outputs: rows.count, inputs: inputs, owner: file)
    }

    package func vector(_ role: DecoderRole, layer: Int?, count: Int) throws -> [Float] {
        let (file, name) = try tensorFile(role, layer)
        let values = try file.floats(name, shape: [count]).array
        // Gemma's files hold what a norm's weights have beyond 1.
        return isGemma && name.contains("norm") ? values.map { $0 + 1 } : values
    }

    package func has(_ role: DecoderRole, layer: Int?) -> Bool {
        name(role, layer).map { fileIndexes[$0] != nil } ?? false
    }
}

extension ModelFolder {
    /// The folder's tokenizer.
    ///
    /// - Throws: `ModelError` for kinds that are not read.
    public func tokenizer() throws -> any Tokenizer { try TokenizerJSON.read(folder: path) }

    /// The Jinja template that turns messages into a prompt.
    public var chatTemplate: String? {
        if let text = try? String(contentsOfFile: path + "/chat_template.jinja", encoding: .utf8) {
            return text
        }
        let settings = FileManager.default.contents(atPath: path + "/tokenizer_config.json").flatMap {
            try? JSONSerialization.jsonObject(with: $0) as? [String: Any]
        }
        return settings?["chat_template"] as? String
    }
}

extension TransformerDecoder {
    /// Packs the weights of a folder.
    ///
    /// - Throws: `ModelError`.
    public convenience init(
        _ folder: ModelFolder, stepTokens: Int = 512, stepLogits: Int = 64,
        pool: ThreadPool = .shared
    ) throws {
        try self.init(
            folder, folder.configuration, stepTokens: stepTokens, stepLogits: stepLogits, pool: pool
        )
    }
}
