import MnemeBase

/// FRUGAL (Zmushko et al. 2024) [169]: AdamW on a quarter of each matrix's columns, and steps by the
/// sign of the gradient, which need no state, on all others.
///
/// Every 200 steps other columns are drawn, and their moments begin anew. A matrix of m · n numbers,
/// n the larger side, has 2 · m · n/4 floats of state; which columns those are follows from the step.
package struct Frugal: TrainingOptimizer {
    /// Steps between two draws.
    static let gap: Int64 = 200
    /// One column of so many has a state: the paper's ρ is 1/4.
    static let part = 4

    private let matrices: [TrainingMatrix]
    private let gap: Int64
    private var steps: Int64 = 0
    /// Of each matrix, [short][columns with a state].
    private var first: [[Float]]
    private var second: [[Float]]

    package init(_ matrices: [TrainingMatrix]) { self.init(matrices, gap: Self.gap) }

    package init(_ matrices: [TrainingMatrix], gap: Int64) {
        (self.matrices, self.gap) = (matrices, gap)
        first = matrices.map { [Float](repeating: 0, count: $0.short * Self.kept($0)) }
        second = first
    }

    private static func kept(_ matrix: TrainingMatrix) -> Int { max(1, matrix.long / part) }

    package var stateBytes: Int { 4 * (first + second).reduce(0) { $0 + $1.count } }

    /// The columns of a matrix that have a state, by a draw that its number and the period decide.
    static func columns(_ matrix: TrainingMatrix, index: Int, period: Int64) -> [Int] {
        var generator = SplitMix64(
            seed: SplitMix64.mixed(UInt64(index + 1) | UInt64(period) << 32))
        var all = Array(0..<matrix.long)
        for i in 0..<kept(matrix) {
            all.swapAt(i, i + Int(generator.unit() * Double(matrix.long - i)))
        }
        return all[..<kept(matrix)].sorted()
    }

    package mutating func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, scale: Float,
        rate: Float, decay: Float
    ) {
        let (period, within) = steps.quotientAndRemainder(dividingBy: gap)
        steps += 1
        let adam = AdamStep(steps: within + 1, rate: 1, decay: 0)
        for (i, matrix) in matrices.enumerated() {
            if within == 0 {
                first[i] = [Float](repeating: 0, count: first[i].count)
                second[i] = first[i]
            }
            let gradient = matrix.gradient(gradients, scale: scale)
            var direction: [Float] = gradient.map { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }
            let columns = Self.columns(matrix, index: matrix.number ?? i, period: period)
            for s in 0..<matrix.short {
                for (k, column) in columns.enumerated() {
                    let j = s * columns.count + k
                    direction[s * matrix.long + column] = adam.direction(
                        gradient[s * matrix.long + column], &first[i][j], &second[i][j])
                }
            }
            matrix.update(values, direction, rate: rate, decay: decay)
        }
    }

    package var state: [UInt8] { FloatState.bytes(steps, first + second) }

    package init?(_ matrices: [TrainingMatrix], state: [UInt8]) {
        self.init(matrices)
        guard let found = FloatState.read(state, (first + second).map(\.count)), found.steps >= 0
        else { return nil }
        steps = found.steps
        first = Array(found.runs[..<matrices.count])
        second = Array(found.runs[matrices.count...])
    }
}
