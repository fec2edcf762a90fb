import Foundation
import MnemeBase
import MnemeFormats
import MnemeNumerics

/// Makes one vector of length 1 from the states of a text's tokens: pooling, then the dense layers
/// of the model, if it has any.
final class EmbeddingHead: Sendable {
    /// Elements of a vector.
    let dimension: Int
    private let pooling: SentenceModules.Pooling
    private let layers: [(layer: BertWeights.Linear, hasTanh: Bool)]
    private let kernels: EncoderKernels

    /// - Parameter hidden: elements of a token's state.
    /// - Throws: ``ModelError`` if a dense layer does not fit what stands before it.
    init(_ modules: SentenceModules, hidden: Int, features: ProcessorFeatures) throws {
        pooling = modules.pooling
        kernels = EncoderKernels(features: features)
        var width = hidden
        layers = try modules.dense.map { dense in
            let (weight, read) = try dense.read(behind: width)
            width = dense.outputs
            let bias = AlignedBuffer<Float>((dense.outputs + 15) / 16 * 16)
            if let read { bias.pointer.update(from: read.array, count: dense.outputs) }
            let matrix = withExtendedLifetime(weight) {
                WeightMatrix(
                    source: weight.values.baseAddress!, type: .f32, outputs: dense.outputs,
                    inputs: dense.inputs, features: features)
            }
            let layer = BertWeights.Linear(weight: matrix, bias: bias)
            return (layer, dense.hasTanh)
        }
        dimension = width
    }

    /// Writes the vector of a text of `count` tokens, whose states are `rows` of `columns`.
    ///
    /// - Complexity: O(`count` · `columns`), and the dense layers' products.
    func vector(
        _ rows: UnsafePointer<Float>, count: Int, columns: Int,
        into output: UnsafeMutablePointer<Float>
    ) {
        let first = pooling == .last ? max(count, 1) - 1 : 0
        let used = pooling == .mean ? count : min(count, 1)
        let start = rows + first * columns
        guard !layers.isEmpty else {
            return kernels.meanPool(start, rows: used, columns: columns, into: output)
        }
        // The kernel's mean has length 1, but a dense layer reads it as it is.
        var input = ActivationRows(rows: 1, columns: columns, formats: [])
        for c in 0..<columns {
            var sum: Float = 0
            for r in 0..<used { sum += start[r * columns + c] }
            input.floats[c] = used > 0 ? sum / Float(used) : 0
        }
        for (layer, hasTanh) in layers {
            let outputs = layer.weight.outputs
            let next = ActivationRows(rows: 1, columns: outputs, formats: [])
            layer.apply(input, rows: 1, groups: 0..<outputs / 16, into: next.floats)
            if hasTanh { for i in 0..<outputs { next.floats[i] = tanh(next.floats[i]) } }
            input = next
        }
        kernels.meanPool(input.floats, rows: 1, columns: dimension, into: output)
    }
}
