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
    private let layers: [(layer: LinearLayer, hasTanh: Bool)]
    private let kernels: EncoderKernels

    /// - Parameter hidden: elements of a token's state.
    /// - Throws: ``ModelError`` if a dense layer does not fit what stands before it.
    init(_ modules: SentenceModules, hidden: Int, features: ProcessorFeatures) throws {
        pooling = modules.pooling
        kernels = EncoderKernels(features: features)
        var width = hidden
        layers = try modules.dense.map { dense in
            guard dense.inputs == width else {
                throw ModelError(
                    .unsupported,
                    "\(dense.folder)/config.json takes \(dense.inputs) elements; what stands before it gives \(width)."
                )
            }
            width = dense.outputs
            let file = try SafetensorsFile(path: dense.folder + "/model.safetensors")
            let weight = try file.floats("linear.weight", shape: [dense.outputs, dense.inputs])
            let bias =
                dense.hasBias
                ? try file.floats("linear.bias", shape: [dense.outputs]).array
                : [Float](repeating: 0, count: dense.outputs)
            let layer = withExtendedLifetime(weight) {
                bias.withUnsafeBufferPointer {
                    LinearLayer(
                        weight: weight.values, bias: $0, outputs: dense.outputs,
                        inputs: dense.inputs, precision: .f32, features: features)
                }
            }
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
        var input = AlignedBuffer<Float>(columns)
        for c in 0..<columns {
            var sum: Float = 0
            for r in 0..<used { sum += start[r * columns + c] }
            input.pointer[c] = used > 0 ? sum / Float(used) : 0
        }
        for (layer, hasTanh) in layers {
            let next = AlignedBuffer<Float>(layer.outputs)
            layer.apply(
                .f32(input.pointer), rows: 1, columns: 0..<layer.outputs, epilogue: .bias,
                into: next.pointer)
            if hasTanh { for i in 0..<layer.outputs { next.pointer[i] = tanh(next.pointer[i]) } }
            input = next
        }
        kernels.meanPool(input.pointer, rows: 1, columns: dimension, into: output)
    }
}
