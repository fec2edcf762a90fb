import MnemeNumerics

/// Where a decoder's tensors come from, by the role they play.
protocol DecoderTensors {
    /// Rows `rows` of a matrix of `outputs` rows; nil for all.
    func matrix(_ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int, rows: Range<Int>?) throws -> WeightMatrix
    func vector(_ role: DecoderRole, layer: Int?, count: Int) throws -> [Float]
    func has(_ role: DecoderRole, layer: Int?) -> Bool
}

/// What a tensor of a decoder is for.
enum DecoderRole {
    case embedding, outputNorm, output
    case attentionNorm, query, key, value, attentionOutput
    case queryBias, keyBias, valueBias, queryNorm, keyNorm
    case feedForwardNorm, gate, up, down
    /// Two or three of the above in one matrix, one below the other (Phi-3).
    case queryKeyValue, gateUp
    /// Norms of what a block adds to the state (Gemma).
    case attentionPostNorm, feedForwardPostNorm
}

/// A decoder's weights, packed.
struct DecoderWeights: Sendable {
    struct Layer: Sendable {
        var attentionNorm, feedForwardNorm: AlignedBuffer<Float>
        var attentionPostNorm, feedForwardPostNorm: AlignedBuffer<Float>?
        var query, key, value, attentionOutput, gate, up, down: WeightMatrix
        var queryBias, keyBias, valueBias: AlignedBuffer<Float>?
        var queryNorm, keyNorm: AlignedBuffer<Float>?
        /// The forms in which the first matrices of its two halves read their input. Made once: a step allocates nothing.
        var attentionReads, feedForwardReads: DecoderRows.Forms
    }

    var embedding: WeightMatrix
    var layers: [Layer]
    var outputNorm: AlignedBuffer<Float>
    /// The embedding's own matrix where the two are tied.
    var output: WeightMatrix

    init(_ tensors: some DecoderTensors, _ c: DecoderConfiguration) throws {
        func vector(_ role: DecoderRole, _ layer: Int?, _ count: Int) throws -> AlignedBuffer<Float> {
            let values = try tensors.vector(role, layer: layer, count: count), buffer = AlignedBuffer<Float>(count)
            values.withUnsafeBufferPointer { buffer.pointer.update(from: $0.baseAddress!, count: count) }
            return buffer
        }
        func optional(_ role: DecoderRole, _ layer: Int, _ count: Int) throws -> AlignedBuffer<Float>? {
            tensors.has(role, layer: layer) ? try vector(role, layer, count) : nil
        }
        func matrix(_ role: DecoderRole, _ layer: Int?, _ outputs: Int, _ inputs: Int) throws -> WeightMatrix {
            try tensors.matrix(role, layer: layer, outputs: outputs, inputs: inputs, rows: nil)
        }
        /// Matrices that read the same input, each by itself or all in one.
        func matrices(_ roles: [DecoderRole], in whole: DecoderRole, _ layer: Int, _ outputs: [Int]) throws
            -> [WeightMatrix]
        {
            guard tensors.has(whole, layer: layer) else {
                return try zip(roles, outputs).map { try matrix($0, layer, $1, c.hiddenSize) }
            }
            var start = 0
            return try outputs.map { count in
                defer { start += count }
                return try tensors.matrix(
                    whole, layer: layer, outputs: outputs.reduce(0, +), inputs: c.hiddenSize,
                    rows: start..<start + count)
            }
        }
        let queries = c.heads * c.headDimension
        embedding = try matrix(.embedding, nil, c.vocabularySize, c.hiddenSize)
        output = tensors.has(.output, layer: nil) ? try matrix(.output, nil, c.vocabularySize, c.hiddenSize) : embedding
        outputNorm = try vector(.outputNorm, nil, c.hiddenSize)
        layers = try (0..<c.layers).map { i in
            let attention = try matrices([.query, .key, .value], in: .queryKeyValue, i, [queries, c.kvSize, c.kvSize])
            let feedForward = try matrices([.gate, .up], in: .gateUp, i, [c.intermediateSize, c.intermediateSize])
            return Layer(
                attentionNorm: try vector(.attentionNorm, i, c.hiddenSize),
                feedForwardNorm: try vector(.feedForwardNorm, i, c.hiddenSize),
                attentionPostNorm: try optional(.attentionPostNorm, i, c.hiddenSize),
                feedForwardPostNorm: try optional(.feedForwardPostNorm, i, c.hiddenSize), query: attention[0],
                key: attention[1], value: attention[2],
                attentionOutput: try matrix(.attentionOutput, i, c.hiddenSize, queries), gate: feedForward[0],
                up: feedForward[1],
                down: try matrix(.down, i, c.hiddenSize, c.intermediateSize),
                queryBias: try optional(.queryBias, i, queries),
                keyBias: try optional(.keyBias, i, c.kvSize), valueBias: try optional(.valueBias, i, c.kvSize),
                queryNorm: try optional(.queryNorm, i, c.headDimension),
                keyNorm: try optional(.keyNorm, i, c.headDimension),
                attentionReads: [attention[0].reads, attention[1].reads, attention[2].reads],
                feedForwardReads: [feedForward[0].reads, feedForward[1].reads])
        }
    }

    /// Bytes of all packed matrices.
    var byteCount: Int {
        let ends = embedding.byteCount + (output === embedding ? 0 : output.byteCount)
        return layers.reduce(ends) { total, layer in
            [layer.query, layer.key, layer.value, layer.attentionOutput, layer.gate, layer.up, layer.down].reduce(total)
            { $0 + $1.byteCount }
        }
    }
}
