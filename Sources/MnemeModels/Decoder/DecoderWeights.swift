import MnemeBase
package import MnemeNumerics

/// A source of a decoder's tensors, by the role they play: a GGUF file, a folder of safetensors.
///
/// Names differ between formats and families; nothing behind this protocol knows them.
package protocol DecoderTensors {
    /// Rows `rows` of a matrix of `outputs` rows; nil for all.
    func matrix(_ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int, rows: Range<Int>?)
        throws -> WeightMatrix
    /// The same as the file has them: for who reads weights without packing them.
    func stored(_ role: DecoderRole, layer: Int?, outputs: Int, inputs: Int, rows: Range<Int>?)
        throws -> StoredMatrix
    /// `count` floats; norms as factors, also where files keep them less 1.
    func vector(_ role: DecoderRole, layer: Int?, count: Int) throws -> [Float]
    /// Roles that a family, or a file, has no tensor for are left out.
    func has(_ role: DecoderRole, layer: Int?) -> Bool
}

/// A matrix as it lies in a mapped file: `outputs` rows of `inputs` weights in blocks of a type.
package struct StoredMatrix: @unchecked Sendable {
    // Sendable: the file is only read, and its owner below keeps it mapped.
    /// The first row; valid while this value lives.
    package let source: UnsafeRawPointer
    package let type: GGMLType
    package let outputs: Int
    package let inputs: Int
    private let owner: AnyObject

    package init(
        _ source: UnsafeRawPointer, type: GGMLType, outputs: Int, inputs: Int, owner: AnyObject
    ) {
        (self.source, self.type, self.owner) = (source, type, owner)
        (self.outputs, self.inputs) = (outputs, inputs)
    }

    /// Packed for the decoder's kernels.
    func packed() -> WeightMatrix {
        WeightMatrix(source: source, type: type, outputs: outputs, inputs: inputs)
    }
}

/// The purpose of a tensor of a decoder.
package enum DecoderRole {
    case embedding, outputNorm, output
    case attentionNorm, query, key, value, attentionOutput
    case queryBias, keyBias, valueBias, queryNorm, keyNorm
    case feedForwardNorm, gate, up, down
    /// Two or three of the above in one matrix, one below the other (Phi-3).
    case queryKeyValue, gateUp
    /// Norms of what a block adds to the state (Gemma).
    case attentionPostNorm, feedForwardPostNorm
}

/// A decoder's weights, packed: the embedding, the layers, and the output matrix, which is the
/// embedding where the two are tied (Press and Wolf 2017).
struct DecoderWeights: Sendable {
    var embedding: WeightMatrix
    var layers: [DecoderLayer]
    var outputNorm: AlignedBuffer<Float>
    /// The embedding's own matrix where the two are tied.
    var output: Linear

    /// - Throws: ``MnemeBase/ModelError``.
    init(
        _ tensors: some DecoderTensors, _ c: DecoderConfiguration
    ) throws {
        func vector(_ role: DecoderRole, _ layer: Int?, _ count: Int) throws -> AlignedBuffer<Float> {
            let values = try tensors.vector(role, layer: layer, count: count)
            let buffer = AlignedBuffer<Float>(count)
            values.withUnsafeBufferPointer {
                buffer.pointer.update(from: $0.baseAddress!, count: count)
            }
            return buffer
        }
        func optional(_ role: DecoderRole, _ layer: Int, _ count: Int) throws -> AlignedBuffer<
            Float
        >? {
            tensors.has(role, layer: layer) ? try vector(role, layer, count) : nil
        }
        func matrix(_ role: DecoderRole, _ layer: Int?, _ outputs: Int, _ inputs: Int) throws
            -> WeightMatrix
        {
            try tensors.matrix(role, layer: layer, outputs: outputs, inputs: inputs, rows: nil)
        }
        /// Matrices that read the same input, each by itself or all in one.
        func matrices(_ roles: [DecoderRole], in whole: DecoderRole, _ layer: Int, _ outputs: [Int])
            throws
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
        // Extents: rows are outputs, columns inputs.
        let queries = c.heads * c.headDimension
        embedding = try matrix(.embedding, nil, c.vocabularySize, c.hiddenSize)
        output = Linear(
            matrix: tensors.has(.output, layer: nil)
                ? try matrix(.output, nil, c.vocabularySize, c.hiddenSize) : embedding)
        outputNorm = try vector(.outputNorm, nil, c.hiddenSize)
        layers = try (0..<c.layers).map { i in
            let attention = try matrices(
                [.query, .key, .value], in: .queryKeyValue, i, [queries, c.kvSize, c.kvSize])
            let feedForward = try matrices(
                [.gate, .up], in: .gateUp, i, [c.intermediateSize, c.intermediateSize])
            func linear(_ name: LayerLinear, _ matrix: WeightMatrix, bias: DecoderRole? = nil)
                throws -> Linear
            {
                Linear(
                    matrix: matrix, bias: try bias.flatMap { try optional($0, i, matrix.outputs) },
                    term: i * LayerLinear.allCases.count + name.index)
            }
            return DecoderLayer(
                index: i,
                attentionNorm: try vector(.attentionNorm, i, c.hiddenSize),
                query: try linear(.query, attention[0], bias: .queryBias),
                key: try linear(.key, attention[1], bias: .keyBias),
                value: try linear(.value, attention[2], bias: .valueBias),
                queryNorm: try optional(.queryNorm, i, c.headDimension),
                keyNorm: try optional(.keyNorm, i, c.headDimension),
                attentionOutput: try linear(
                    .attentionOutput, matrix(.attentionOutput, i, c.hiddenSize, queries)),
                attentionPostNorm: try optional(.attentionPostNorm, i, c.hiddenSize),
                feedForwardPostNorm: try optional(.feedForwardPostNorm, i, c.hiddenSize),
                feedForwardNorm: try vector(.feedForwardNorm, i, c.hiddenSize),
                gate: try linear(.gate, feedForward[0]),
                up: try linear(.up, feedForward[1]),
                down: try linear(.down, matrix(.down, i, c.hiddenSize, c.intermediateSize)),
                attentionReads: [attention[0].reads, attention[1].reads, attention[2].reads],
                feedForwardReads: [feedForward[0].reads, feedForward[1].reads])
        }
    }

    /// Bytes of all packed matrices.
    var byteCount: Int { Self.byteCount([self]) }

    /// Bytes of the packed matrices of several models, those that they have in common once.
    static func byteCount(_ models: [DecoderWeights]) -> Int {
        var seen: [ObjectIdentifier: Int] = [:]
        for model in models {
            for matrix in [model.embedding, model.output.matrix] + model.layers.flatMap({ $0.linears.map(\.matrix) }) {
                seen[ObjectIdentifier(matrix)] = matrix.byteCount
            }
        }
        return seen.values.reduce(0, +)
    }
}

extension DecoderWeights {
    /// The sizes of a workspace for these weights.
    var workspaceNeeds: DecoderWorkspace.Needs {
        DecoderWorkspace.Needs(
            logitStride: output.matrix.paddedOutputs,
            input: layers.reduce(output.reads) {
                $0.union($1.attentionReads).union($1.feedForwardReads)
            },
            attended: layers.reduce([]) { $0.union($1.attentionOutput.reads) },
            gated: layers.reduce([]) { $0.union($1.down.reads) },
            hasPostNorms: layers.contains {
                $0.attentionPostNorm != nil || $0.feedForwardPostNorm != nil
            })
    }
}
