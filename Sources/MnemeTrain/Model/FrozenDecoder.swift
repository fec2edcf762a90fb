import MnemeModels
import MnemeNumerics

/// A linear map of a layer whose weights stay as they are.
struct FrozenLinear {
    let name: LayerLinear
    let weights: StoredRows
    /// Added to each row; nil where the model has none.
    let bias: [Float]?
}

/// One layer's weights.
struct FrozenLayer {
    let attentionNorm: [Float]
    let feedForwardNorm: [Float]
    /// By ``LayerLinear``, in the order of its cases.
    let linears: [FrozenLinear]

    subscript(name: LayerLinear) -> FrozenLinear {
        linears[LayerLinear.allCases.firstIndex(of: name)!]
    }
}

/// The base model of an adapter: read from its file, never changed.
struct FrozenDecoder {
    let configuration: DecoderConfiguration
    let embedding: StoredRows
    /// The embedding's own rows where the two are tied.
    let output: StoredRows
    let outputNorm: [Float]
    let layers: [FrozenLayer]

    /// The families whose gradients are computed.
    static let families = ["llama", "qwen2"]

    /// - Throws: ``TrainingError`` for families that are not trained; `ModelError` for files that
    ///   lack a tensor.
    init(_ source: ModelSource) throws {
        switch source {
        case .gguf(let file): try self.init(file, try file.decoderConfiguration(), file.path)
        case .folder(let folder): try self.init(folder, folder.configuration, folder.path)
        }
    }

    private init(
        _ tensors: some DecoderTensors, _ c: DecoderConfiguration, _ path: String
    ) throws {
        guard Self.families.contains(c.architecture) else {
            throw TrainingError(
                .unsupportedModel,
                """
                \(path) is a model of the family \(c.architecture), for which adapters are not trained yet. Those of \
                llama (also Mistral and SmolLM) and qwen2 are.
                """)
        }
        guard c.activation == .silu, c.attentionCap == nil, c.logitCap == nil,
            c.embeddingScale == 1, c.localRope == nil
        else {
            throw TrainingError(
                .unsupportedModel, "\(path) has operations of which no gradient is computed yet.")
        }
        let queries = c.heads * c.headDimension
        func matrix(_ role: DecoderRole, _ layer: Int?, _ outputs: Int, _ inputs: Int) throws
            -> StoredRows
        {
            StoredRows(
                try tensors.stored(
                    role, layer: layer, outputs: outputs, inputs: inputs, rows: nil))
        }
        configuration = c
        embedding = try matrix(.embedding, nil, c.vocabularySize, c.hiddenSize)
        output =
            tensors.has(.output, layer: nil)
            ? try matrix(.output, nil, c.vocabularySize, c.hiddenSize) : embedding
        outputNorm = try tensors.vector(.outputNorm, layer: nil, count: c.hiddenSize)
        layers = try (0..<c.layers).map { i in
            let linears = try LayerLinear.allCases.map { name in
                let (outputs, inputs) = name.shape(c)
                let roles = name.roles
                return FrozenLinear(
                    name: name, weights: try matrix(roles.weights, i, outputs, inputs),
                    bias: try roles.bias.flatMap {
                        tensors.has($0, layer: i)
                            ? try tensors.vector($0, layer: i, count: outputs) : nil
                    })
            }
            return FrozenLayer(
                attentionNorm: try tensors.vector(.attentionNorm, layer: i, count: c.hiddenSize),
                feedForwardNorm: try tensors.vector(
                    .feedForwardNorm, layer: i, count: c.hiddenSize),
                linears: linears)
        }
        precondition(queries == layers[0][.query].weights.outputs)
    }
}

extension LayerLinear {
    /// Outputs and inputs in a model's layers.
    func shape(_ c: DecoderConfiguration) -> (outputs: Int, inputs: Int) {
        switch self {
        case .query: (c.heads * c.headDimension, c.hiddenSize)
        case .key, .value: (c.kvSize, c.hiddenSize)
        case .attentionOutput: (c.hiddenSize, c.heads * c.headDimension)
        case .gate, .up: (c.intermediateSize, c.hiddenSize)
        case .down: (c.hiddenSize, c.intermediateSize)
        }
    }

    /// The tensors that it is made of.
    fileprivate var roles: (weights: DecoderRole, bias: DecoderRole?) {
        switch self {
        case .query: (.query, .queryBias)
        case .key: (.key, .keyBias)
        case .value: (.value, .valueBias)
        case .attentionOutput: (.attentionOutput, nil)
        case .gate: (.gate, nil)
        case .up: (.up, nil)
        case .down: (.down, nil)
        }
    }
}
