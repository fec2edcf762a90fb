/// APOLLO (Zhu et al. 2024) [202]: gradients themselves, scaled by how Adam would scale them, which a
/// random projection of low rank tells.
///
/// A matrix of m · n numbers, m the smaller side, has 2nr floats of moments and the norm of its last
/// step; the projection follows from the matrix's number and the step (the paper counts its seed,
/// too: 2nr + 2). Steps grow by 1 % at most from one to the next.
package struct Apollo: TrainingOptimizer {
    /// Steps between two projections.
    static let gap: Int64 = 200
    /// A step's norm by the one before is at most this.
    static let growth: Float = 1.01

    let matrices: [TrainingMatrix]
    /// True for one scale a matrix and rank 1 (APOLLO-Mini), false for one a column of the larger
    /// side.
    private let isMini: Bool
    private let gap: Int64
    private var steps: Int64 = 0
    private var first: [[Float]]
    private var second: [[Float]]
    /// Of each matrix's last step; 0 before the first that is not zero.
    private var norms: [Float]

    package init(_ matrices: [TrainingMatrix]) { self.init(matrices, isMini: false) }

    package init(_ matrices: [TrainingMatrix], isMini: Bool, gap: Int64 = Self.gap) {
        (self.matrices, self.isMini, self.gap) = (matrices, isMini, gap)
        first = matrices.map {
            [Float](repeating: 0, count: Self.rank($0, isMini) * $0.long)
        }
        second = first
        norms = [Float](repeating: 0, count: matrices.count)
    }

    /// A quarter of the smaller side, as in the paper's runs.
    private static func rank(_ matrix: TrainingMatrix, _ isMini: Bool) -> Int {
        isMini ? 1 : matrix.rank(4)
    }

    package var stateBytes: Int {
        4 * (norms.count + (first + second).reduce(0) { $0 + $1.count })
    }

    package mutating func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, scale: Float,
        rate: Float, decay: Float
    ) {
        let period = UInt64(steps / gap)
        steps += 1
        let adam = AdamStep(steps: steps, rate: 1, decay: 0)
        for (i, matrix) in matrices.enumerated() {
            let gradient = matrix.gradient(gradients, scale: scale)
            let rank = Self.rank(matrix, isMini)
            let low = Projector(
                gaussian: UInt64((matrix.number ?? i) + 1) | period << 32, rank: rank, short: matrix.short
            ).down(gradient)
            var adapted = low
            for j in low.indices {
                // Without the correction of both biases, which comes last, as the authors have it.
                adapted[j] =
                    adam.direction(low[j], &first[i][j], &second[i][j]) / adam.correction
            }
            var step = scaled(gradient, low, adapted, matrix)
            let norm = Self.norm(step)
            let limit = norms[i] > 0 ? max(norm / norms[i], Self.growth) / Self.growth : 1
            norms[i] = norm / limit
            // The paper's √α makes up for the projection's rank: 1, and √(m / rank) for Mini.
            let alpha = isMini ? Float(matrix.short).squareRoot() : 1
            for j in step.indices { step[j] *= alpha * adam.correction / limit }
            matrix.update(values, step, rate: rate, decay: decay)
        }
    }

    /// The gradient [short][long] times the norm of `adapted` by that of `low`: of each column, or of
    /// all.
    private func scaled(
        _ gradient: [Float], _ low: [Float], _ adapted: [Float], _ matrix: TrainingMatrix
    ) -> [Float] {
        let long = matrix.long
        if isMini {
            let factor = Self.norm(adapted) / (Self.norm(low) + 1e-8)
            return gradient.map { $0 * factor }
        }
        let factors = (0..<long).map { column in
            let of = stride(from: column, to: low.count, by: long)
            return Self.norm(of.map { adapted[$0] }) / (Self.norm(of.map { low[$0] }) + 1e-8)
        }
        return gradient.indices.map { gradient[$0] * factors[$0 % long] }
    }

    private static func norm(_ x: [Float]) -> Float {
        Float(x.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
    }

    package var state: [UInt8] { FloatState.bytes(steps, [norms] + first + second) }

    package init?(_ matrices: [TrainingMatrix], state: [UInt8]) {
        self.init(matrices, isMini: false, state: state)
    }

    package init?(_ matrices: [TrainingMatrix], isMini: Bool, state: [UInt8]) {
        self.init(matrices, isMini: isMini)
        let runs = [norms] + first + second
        guard let found = FloatState.read(state, runs.map(\.count)), found.steps >= 0 else {
            return nil
        }
        (steps, norms) = (found.steps, found.runs[0])
        first = Array(found.runs[1..<1 + matrices.count])
        second = Array(found.runs[(1 + matrices.count)...])
    }
}
