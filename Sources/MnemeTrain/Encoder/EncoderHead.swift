import Foundation
import MnemeBase
import MnemeEmbedding
import MnemeFormats

/// Makes a vector of length 1 of the states of a text's tokens, and takes its gradient back to them:
/// pooling, and the dense layers of the model, which stay as they are.
struct EncoderHead {
    private struct Dense {
        let weight: FloatTensor
        let bias: FloatTensor?
        let inputs, outputs: Int
        let hasTanh: Bool
    }

    /// Elements of a vector.
    let dimension: Int
    /// Elements of a token's state.
    private let hidden: Int
    private let pooling: SentenceModules.Pooling
    private let dense: [Dense]

    /// - Throws: `ModelError` for a dense layer that cannot be read or does not fit.
    init(_ modules: SentenceModules, hidden: Int) throws {
        (pooling, self.hidden) = (modules.pooling, hidden)
        var width = hidden
        dense = try modules.dense.map { layer in
            let (weight, bias) = try layer.read(behind: width)
            width = layer.outputs
            return Dense(
                weight: weight, bias: bias, inputs: layer.inputs, outputs: layer.outputs,
                hasTanh: layer.hasTanh)
        }
        dimension = width
    }

    /// The outputs of pooling and of each dense layer; the last one's length taken to 1 is the vector.
    ///
    /// - Parameter rows: `count` rows of `hidden`.
    private func outputs(_ rows: UnsafePointer<Float>, count: Int) -> [[Float]] {
        var x = [Float](repeating: 0, count: hidden)
        let used = used(count)
        for row in used { for i in 0..<hidden { x[i] += rows[row * hidden + i] } }
        for i in 0..<hidden { x[i] /= Float(used.count) }
        var all = [x]
        for layer in dense {
            let (input, weight) = (x, layer.weight.values)
            x = (0..<layer.outputs).map { o in
                var sum: Float = 0
                for i in 0..<layer.inputs { sum += weight[o * layer.inputs + i] * input[i] }
                sum += layer.bias?.values[o] ?? 0
                return layer.hasTanh ? tanhf(sum) : sum
            }
            all.append(x)
        }
        return all
    }

    /// The rows that are pooled.
    private func used(_ count: Int) -> Range<Int> {
        switch pooling {
        case .mean: 0..<count
        case .first: 0..<1
        case .last: count - 1..<count
        }
    }

    /// The vector of a text.
    func vector(
        _ rows: UnsafePointer<Float>, count: Int, into vector: UnsafeMutablePointer<Float>
    ) {
        let last = outputs(rows, count: count).last ?? []
        let length = Self.length(last)
        for i in 0..<dimension { vector[i] = last[i] / length }
    }

    /// Writes the gradient of the rows by that of the vector.
    func backward(
        _ rows: UnsafePointer<Float>, count: Int, gradient: UnsafePointer<Float>,
        into rowGradients: UnsafeMutablePointer<Float>
    ) {
        let all = outputs(rows, count: count)
        let last = all[dense.count]
        // With u = y/|y|: dy = (du − u·(u·du))/|y|.
        let length = Self.length(last)
        var along: Float = 0
        for i in 0..<dimension { along += last[i] / length * gradient[i] }
        var d = (0..<dimension).map { (gradient[$0] - last[$0] / length * along) / length }
        for (index, layer) in dense.enumerated().reversed() {
            let (output, weight) = (all[index + 1], layer.weight.values)
            if layer.hasTanh { for o in 0..<layer.outputs { d[o] *= 1 - output[o] * output[o] } }
            var back = [Float](repeating: 0, count: layer.inputs)
            for o in 0..<layer.outputs {
                for i in 0..<layer.inputs { back[i] += d[o] * weight[o * layer.inputs + i] }
            }
            d = back
        }
        let used = used(count)
        for row in 0..<count {
            let isUsed = used.contains(row)
            for i in 0..<hidden { rowGradients[row * hidden + i] = isUsed ? d[i] / Float(used.count) : 0 }
        }
    }

    private static func length(_ x: [Float]) -> Float {
        var sum: Float = 0
        for value in x { sum += value * value }
        return max(sum.squareRoot(), 1e-12)
    }
}
