/// AdamW (Loshchilov and Hutter 2019): two floats of state a parameter.
package struct AdamW: TrainingOptimizer {
    private var first: [Float]
    private var second: [Float]
    private var steps: Int64 = 0

    package init(_ matrices: [TrainingMatrix]) {
        let count = matrices.reduce(0) { $0 + $1.count }
        first = [Float](repeating: 0, count: count)
        second = first
    }

    package var stateBytes: Int { 8 * first.count }

    package mutating func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, scale: Float,
        rate: Float, decay: Float
    ) {
        steps += 1
        let step = AdamStep(steps: steps, rate: rate, decay: decay)
        first.withUnsafeMutableBufferPointer { first in
            second.withUnsafeMutableBufferPointer { second in
                for i in first.indices {
                    values[i] = step.update(
                        values[i], gradients[i] * scale, &first[i], &second[i])
                }
            }
        }
    }

    package var state: [UInt8] {
        bytes(of: [steps]) + bytes(of: first) + bytes(of: second)
    }

    package init?(_ matrices: [TrainingMatrix], state: [UInt8]) {
        let count = matrices.reduce(0) { $0 + $1.count }
        guard state.count == 8 + 8 * count else { return nil }
        steps = numbers(Int64.self, count: 1, from: state[..<8])[0]
        first = numbers(Float.self, count: count, from: state[8..<8 + 4 * count])
        second = numbers(Float.self, count: count, from: state[(8 + 4 * count)...])
    }
}

/// The arithmetic of one step of Adam, which its variants share: β 0.9 and 0.999, ε 1e-8.
struct AdamStep {
    private let size: Float
    private let root: Float
    private let shrink: Float

    /// What ``direction(_:_:_:)`` has for the moments' beginning at zero.
    var correction: Float { size * root }

    init(steps: Int64, rate: Float, decay: Float) {
        let n = Double(steps)
        size = Float(Double(rate) / (1 - power(0.9, n)))
        root = Float((1 - power(0.999, n)).squareRoot())
        shrink = 1 - rate * decay
    }

    func update(_ value: Float, _ gradient: Float, _ first: inout Float, _ second: inout Float)
        -> Float
    {
        value * shrink - direction(gradient, &first, &second)
    }

    /// What is subtracted from a value, but for the decay.
    func direction(_ gradient: Float, _ first: inout Float, _ second: inout Float) -> Float {
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient * gradient
        return size * first / (second.squareRoot() / root + 1e-8)
    }
}
