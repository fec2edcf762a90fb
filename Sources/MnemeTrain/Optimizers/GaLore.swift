/// GaLore (Zhao et al. 2024) [210]: AdamW in the space of the gradient's largest singular vectors,
/// which are found anew every 200 steps.
///
/// A matrix of m · n numbers, m the smaller side, has 2nr + mr floats of state at rank r = m / 2,
/// instead of 2mn. As the authors have it, moments stay when the space changes, and a step is a
/// quarter of Adam's: the learning rate is to be higher.
package struct GaLore: TrainingOptimizer {
    /// Steps between two projections.
    static let gap: Int64 = 200
    /// The part of Adam's step that is taken: the paper's α.
    static let alpha: Float = 0.25
    /// The rank is the smaller side by this.
    static let part = 2

    let matrices: [TrainingMatrix]
    private var steps: Int64 = 0
    /// Each matrix's projection; all zeros before its first gradient that is not zero.
    private var projectors: [[Float]]
    private var first: [[Float]]
    private var second: [[Float]]
    private let gap: Int64

    package init(_ matrices: [TrainingMatrix]) { self.init(matrices, gap: Self.gap) }

    package init(_ matrices: [TrainingMatrix], gap: Int64) {
        (self.matrices, self.gap) = (matrices, gap)
        projectors = matrices.map {
            [Float](repeating: 0, count: $0.rank(Self.part) * $0.short)
        }
        first = matrices.map { [Float](repeating: 0, count: $0.rank(Self.part) * $0.long) }
        second = first
    }

    package var stateBytes: Int {
        4 * (projectors + first + second).reduce(0) { $0 + $1.count }
    }

    package mutating func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, scale: Float,
        rate: Float, decay: Float
    ) {
        let size = StepSize(scale: scale, rate: rate, decay: decay)
        step(values, gradients: gradients, size) { _, low, _ in low }
    }

    /// The same, with the projected gradients changed before Adam has them.
    ///
    /// - Parameter change: the matrix's number, its gradient [rank][long], and true if the
    ///   projection is a new one.
    mutating func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, _ size: StepSize,
        change: (Int, [Float], Bool) -> [Float]
    ) {
        let isDue = steps % gap == 0
        steps += 1
        let adam = AdamStep(steps: steps, rate: 1, decay: 0)
        for (i, matrix) in matrices.enumerated() {
            let gradient = matrix.gradient(gradients, scale: size.scale)
            let rank = matrix.rank(Self.part)
            let isNew =
                gradient.contains { $0 != 0 } && (isDue || projectors[i].allSatisfy { $0 == 0 })
            if isNew {
                projectors[i] =
                    Projector(singular: gradient, rank: rank, short: matrix.short).rows
            }
            let projector = Projector(rank: rank, short: matrix.short, rows: projectors[i])
            var low = change(i, projector.down(gradient), isNew)
            for j in low.indices {
                low[j] = Self.alpha * adam.direction(low[j], &first[i][j], &second[i][j])
            }
            matrix.update(values, projector.up(low), rate: size.rate, decay: size.decay)
        }
    }

    package var state: [UInt8] { FloatState.bytes(steps, projectors + first + second) }

    package init?(_ matrices: [TrainingMatrix], state: [UInt8]) {
        self.init(matrices)
        let runs = projectors + first + second
        guard let found = FloatState.read(state, runs.map(\.count)) else { return nil }
        let n = matrices.count
        steps = found.steps
        projectors = Array(found.runs[..<n])
        first = Array(found.runs[n..<2 * n])
        second = Array(found.runs[(2 * n)...])
    }
}
