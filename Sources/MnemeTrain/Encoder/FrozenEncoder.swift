import MnemeEmbedding
import MnemeFormats
import MnemeModels
import MnemeNumerics

/// The base of an embedder that learns: read from its files, never changed.
struct FrozenEncoder {
    /// A linear map of a layer, with its bias.
    struct Map {
        let name: LayerLinear
        let layer: Int
        let weights: StoredRows
        let bias: FloatTensor
    }

    /// Factor and offset of a layer normalisation.
    struct Norm {
        let gamma, beta: FloatTensor
    }

    /// A layer: BERT's norms stand behind attention and behind the feed-forward network.
    struct Layer {
        let query, key, value, attentionOutput, up, down: Map
        let attentionNorm, outputNorm: Norm
    }

    let configuration: BertConfiguration
    let tables: BertTables
    let embeddingNorm: Norm
    let layers: [Layer]

    /// - Throws: `ModelError` for files that lack a tensor.
    init(_ folder: EncoderFolder) throws {
        let (c, names, file) = (folder.configuration, folder.names, folder.weights)
        let hidden = c.hiddenSize
        func norm(_ name: String) throws -> Norm {
            Norm(
                gamma: try file.floats(name + ".weight", shape: [hidden]),
                beta: try file.floats(name + ".bias", shape: [hidden]))
        }
        func map(_ linear: LayerLinear, layer: Int) throws -> Map {
            let name = Self.tensorName(linear, layer: layer, names) ?? ""
            let (outputs, inputs) = Self.size(linear, c) ?? (0, 0)
            let weights = try file.floats(name + ".weight", shape: [outputs, inputs])
            return Map(
                name: linear, layer: layer,
                weights: StoredRows(
                    StoredMatrix(
                        UnsafeRawPointer(weights.values.baseAddress!), type: .f32, outputs: outputs,
                        inputs: inputs, owner: weights)),
                bias: try file.floats(name + ".bias", shape: [outputs]))
        }
        configuration = c
        tables = try BertTables(file, names, c)
        embeddingNorm = try norm(names.prefix + "embeddings.LayerNorm")
        layers = try (0..<c.layers).map { i in
            let name = names.prefix + names.layer + "\(i)."
            return Layer(
                query: try map(.query, layer: i), key: try map(.key, layer: i),
                value: try map(.value, layer: i),
                attentionOutput: try map(.attentionOutput, layer: i), up: try map(.up, layer: i),
                down: try map(.down, layer: i),
                attentionNorm: try norm(name + names.attentionNorm),
                outputNorm: try norm(name + names.outputNorm))
        }
    }

    /// A map's name in the weights' file, without `.weight`; nil for one that encoders do not have.
    static func tensorName(_ linear: LayerLinear, layer: Int, _ names: BertTensorNames) -> String? {
        let part: String? =
            switch linear {
            case .query: names.queryKeyValue[0]
            case .key: names.queryKeyValue[1]
            case .value: names.queryKeyValue[2]
            case .attentionOutput: names.attentionOutput
            case .up: names.up
            case .down: names.down
            case .gate: nil
            }
        return part.map { names.prefix + names.layer + "\(layer)." + $0 }
    }

    /// Outputs and inputs of a layer's map; nil for one that encoders do not have.
    static func size(_ linear: LayerLinear, _ c: BertConfiguration) -> (outputs: Int, inputs: Int)? {
        switch linear {
        case .query, .key, .value, .attentionOutput: (c.hiddenSize, c.hiddenSize)
        case .up: (c.intermediateSize, c.hiddenSize)
        case .down: (c.hiddenSize, c.intermediateSize)
        case .gate: nil
        }
    }
}
