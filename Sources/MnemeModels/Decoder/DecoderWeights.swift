import MnemeNumerics

/// Where a decoder's tensors come from, by the role they play.
protocol DecoderTensors {
    func matrix(_ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int) throws -> WeightMatrix
    func vector(_ role: DecoderRole, layer: Int?, count: Int) throws -> [Float]
    func has(_ role: DecoderRole, layer: Int?) -> Bool
}

/// What a tensor of a decoder is for.
enum DecoderRole {
    case embedding, outputNorm, output
    case attentionNorm, query, key, value, attentionOutput
    case queryBias, keyBias, valueBias, queryNorm, keyNorm
    case feedForwardNorm, gate, up, down
}

/// A decoder's weights, packed.
struct DecoderWeights: Sendable {
    struct Layer: Sendable {
        var attentionNorm, feedForwardNorm: AlignedBuffer<Float>
        var query, key, value, attentionOutput, gate, up, down: WeightMatrix
        var queryBias, keyBias, valueBias: AlignedBuffer<Float>?
        var queryNorm, keyNorm: AlignedBuffer<Float>?
    }

    var embedding: WeightMatrix
    var layers: [Layer]
    var outputNorm: AlignedBuffer<Float>
    /// The embedding's own matrix where the two are tied.
    var output: WeightMatrix

    init(_ tensors: some DecoderTensors, _ c: DecoderConfiguration) throws {
        func buffer(_ role: DecoderRole, _ layer: Int?, _ count: Int, padded: Int? = nil) throws -> AlignedBuffer<Float> {
            let values = try tensors.vector(role, layer: layer, count: count), buffer = AlignedBuffer<Float>(padded ?? count)
            values.withUnsafeBufferPointer { buffer.pointer.update(from: $0.baseAddress!, count: count) }
            return buffer
        }
        func optional(_ role: DecoderRole, _ layer: Int, _ count: Int) throws -> AlignedBuffer<Float>? {
            tensors.has(role, layer: layer) ? try buffer(role, layer, count) : nil
        }
        let queries = c.heads * c.headDimension
        embedding = try tensors.matrix(.embedding, layer: nil, outputs: c.vocabularySize, inputs: c.hiddenSize)
        output =
            tensors.has(.output, layer: nil) ? try tensors.matrix(.output, layer: nil, outputs: c.vocabularySize, inputs: c.hiddenSize) : embedding
        outputNorm = try buffer(.outputNorm, nil, c.hiddenSize)
        layers = try (0..<c.layers).map { i in
            Layer(
                attentionNorm: try buffer(.attentionNorm, i, c.hiddenSize), feedForwardNorm: try buffer(.feedForwardNorm, i, c.hiddenSize),
                query: try tensors.matrix(.query, layer: i, outputs: queries, inputs: c.hiddenSize),
                key: try tensors.matrix(.key, layer: i, outputs: c.kvSize, inputs: c.hiddenSize),
                value: try tensors.matrix(.value, layer: i, outputs: c.kvSize, inputs: c.hiddenSize),
                attentionOutput: try tensors.matrix(.attentionOutput, layer: i, outputs: c.hiddenSize, inputs: queries),
                gate: try tensors.matrix(.gate, layer: i, outputs: c.intermediateSize, inputs: c.hiddenSize),
                up: try tensors.matrix(.up, layer: i, outputs: c.intermediateSize, inputs: c.hiddenSize),
                down: try tensors.matrix(.down, layer: i, outputs: c.hiddenSize, inputs: c.intermediateSize),
                queryBias: try optional(.queryBias, i, queries), keyBias: try optional(.keyBias, i, c.kvSize),
                valueBias: try optional(.valueBias, i, c.kvSize), queryNorm: try optional(.queryNorm, i, c.headDimension),
                keyNorm: try optional(.keyNorm, i, c.headDimension))
        }
    }

    /// Bytes of all packed matrices.
    var byteCount: Int {
        let ends = embedding.byteCount + (output === embedding ? 0 : output.byteCount)
        return layers.reduce(ends) { total, layer in
            [layer.query, layer.key, layer.value, layer.attentionOutput, layer.gate, layer.up, layer.down].reduce(total) { $0 + $1.byteCount }
        }
    }
}
