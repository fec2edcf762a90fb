/// GaLore with its moments in eight bits (Zhao et al. 2024 [210], their 8-bit GaLore): projected
/// gradients go through ``AdamW8Bit`` in place of Adam.
///
/// A matrix of m · n numbers, m the smaller side, has 2nr bytes of codes at rank r = m / 2, two floats a
/// block of 256, and mr floats of projection.
package struct GaLore8Bit: TrainingOptimizer {
    private let matrices: [TrainingMatrix]
    private var steps: Int64 = 0
    /// Each matrix's projection; all zeros before its first gradient that is not zero.
    private var projectors: [[Float]]
    /// Of each matrix's projected gradient.
    private var moments: [AdamW8Bit]

    package init(_ matrices: [TrainingMatrix]) {
        self.matrices = matrices
        projectors = matrices.map {
            [Float](repeating: 0, count: $0.rank(GaLore.part) * $0.short)
        }
        moments = matrices.map { AdamW8Bit(count: Self.low($0)) }
    }

    /// Numbers of a projected gradient.
    private static func low(_ matrix: TrainingMatrix) -> Int { matrix.rank(GaLore.part) * matrix.long }

    package var stateBytes: Int {
        moments.reduce(0) { $0 + $1.stateBytes } + 4 * projectors.reduce(0) { $0 + $1.count }
    }

    package mutating func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, scale: Float,
        rate: Float, decay: Float
    ) {
        let isDue = steps % GaLore.gap == 0
        steps += 1
        for (i, matrix) in matrices.enumerated() {
            let gradient = matrix.gradient(gradients, scale: scale)
            let rank = matrix.rank(GaLore.part)
            if gradient.contains(where: { $0 != 0 }), isDue || projectors[i].allSatisfy({ $0 == 0 }) {
                projectors[i] = Projector(singular: gradient, rank: rank, short: matrix.short).rows
            }
            let projector = Projector(rank: rank, short: matrix.short, rows: projectors[i])
            let low = projector.down(gradient)
            // From zero, without decay: what is left is the step itself, with the other sign.
            var direction = [Float](repeating: 0, count: low.count)
            direction.withUnsafeMutableBufferPointer {
                moments[i].step($0.baseAddress!, gradients: low, scale: 1, rate: 1, decay: 0)
            }
            matrix.update(
                values, projector.up(direction.map { -GaLore.alpha * $0 }), rate: rate, decay: decay)
        }
    }

    package var state: [UInt8] { FloatState.bytes(steps, projectors) + moments.flatMap(\.state) }

    package init?(_ matrices: [TrainingMatrix], state: [UInt8]) {
        self.init(matrices)
        var at = 8 + 4 * projectors.reduce(0) { $0 + $1.count }
        guard state.count >= at, let found = FloatState.read(Array(state[..<at]), projectors.map(\.count))
        else { return nil }
        (steps, projectors) = (found.steps, found.runs)
        for (i, matrix) in matrices.enumerated() {
            let end = at + moments[i].state.count
            guard end <= state.count,
                let restored = AdamW8Bit(count: Self.low(matrix), state: Array(state[at..<end]))
            else { return nil }
            (moments[i], at) = (restored, end)
        }
        guard at == state.count else { return nil }
    }
}
