import Foundation

/// AdamW with both moments in 8 bits, in blocks of 256 with a scale each (Dettmers et al. 2022):
/// two bytes of state a parameter, and two floats a block.
///
/// Codes stand for the values of the paper's dynamic tree: of seven magnitudes of ten, each cut
/// finer than the one below. A block is decoded, changed and encoded again at each step.
package struct AdamW8Bit: TrainingOptimizer {
    /// Parameters of a block.
    static let block = 256

    private let count: Int
    private var first: [UInt8]
    private var second: [UInt8]
    private var firstScales: [Float]
    private var secondScales: [Float]
    private var steps: Int64 = 0

    package init(_ matrices: [TrainingMatrix]) {
        count = matrices.reduce(0) { $0 + $1.count }
        let blocks = (count + Self.block - 1) / Self.block
        first = [UInt8](repeating: Self.signed.zero, count: count)
        second = [UInt8](repeating: Self.unsigned.zero, count: count)
        firstScales = [Float](repeating: 0, count: blocks)
        secondScales = firstScales
    }

    package var stateBytes: Int { 2 * count + 8 * firstScales.count }

    package mutating func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, scale: Float,
        rate: Float, decay: Float
    ) {
        steps += 1
        let step = AdamStep(steps: steps, rate: rate, decay: decay)
        var m = [Float](repeating: 0, count: Self.block)
        var v = m
        for (block, start) in stride(from: 0, to: count, by: Self.block).enumerated() {
            let end = min(count, start + Self.block)
            var (largest, highest): (Float, Float) = (0, 0)
            for i in start..<end {
                m[i - start] = Self.signed.values[Int(first[i])] * firstScales[block]
                v[i - start] = Self.unsigned.values[Int(second[i])] * secondScales[block]
                values[i] = step.update(
                    values[i], gradients[i] * scale, &m[i - start], &v[i - start])
                largest = max(largest, abs(m[i - start]))
                highest = max(highest, v[i - start])
            }
            firstScales[block] = largest
            secondScales[block] = highest
            for i in start..<end {
                first[i] = Self.signed.code(largest > 0 ? m[i - start] / largest : 0)
                second[i] = Self.unsigned.code(highest > 0 ? v[i - start] / highest : 0)
            }
        }
    }

    package var state: [UInt8] {
        bytes(of: [steps]) + first + second + bytes(of: firstScales) + bytes(of: secondScales)
    }

    package init?(_ matrices: [TrainingMatrix], state: [UInt8]) {
        self.init(matrices)
        let blocks = firstScales.count
        let scales = 8 + 2 * count
        guard state.count == scales + 8 * blocks else { return nil }
        steps = numbers(Int64.self, count: 1, from: state[..<8])[0]
        first = Array(state[8..<8 + count])
        second = Array(state[8 + count..<scales])
        firstScales = numbers(Float.self, count: blocks, from: state[scales..<scales + 4 * blocks])
        secondScales = numbers(Float.self, count: blocks, from: state[(scales + 4 * blocks)...])
    }

    private static let signed = DynamicCodes(isSigned: true)
    private static let unsigned = DynamicCodes(isSigned: false)
}

/// The 256 values of dynamic quantization, ascending, in -1...1 or 0...1.
struct DynamicCodes: Sendable {
    let values: [Float]
    /// The code of 0.
    let zero: UInt8

    init(isSigned: Bool) {
        var values: [Double] = [0, 1]
        // Magnitude 10^(i-6) holds 2^i values, twice as many without a sign, evenly spaced.
        for i in 0..<7 {
            let parts = 1 << (isSigned ? i : i + 1)
            for part in 0..<parts {
                let share = 0.1 + 0.9 * (Double(part) + 0.5) / Double(parts)
                values.append(share * pow(10, Double(i - 6)))
                if isSigned { values.append(-share * pow(10, Double(i - 6))) }
            }
        }
        self.values = values.sorted().map { Float($0) }
        precondition(self.values.count <= 256)
        zero = UInt8(self.values.firstIndex(of: 0) ?? 0)
    }

    /// The code whose value is the nearest.
    func code(_ x: Float) -> UInt8 {
        var (low, high) = (0, values.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if values[middle] < x { low = middle + 1 } else { high = middle }
        }
        if low > 0, x - values[low - 1] < values[low] - x { low -= 1 }
        return UInt8(low)
    }
}

/// x to the power of y, in double precision.
func power(_ x: Double, _ y: Double) -> Double { pow(x, y) }
