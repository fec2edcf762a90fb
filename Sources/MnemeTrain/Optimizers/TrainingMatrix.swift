/// A matrix among the parameters: row after row, from an offset on.
package struct TrainingMatrix: Sendable, Equatable {
    /// In floats.
    package let offset: Int
    package let rows: Int
    package let columns: Int
    /// Among all parameters' matrices, where it is one of a part of them: draws follow from it.
    package var number: Int?

    package init(offset: Int, rows: Int, columns: Int) {
        (self.offset, self.rows, self.columns) = (offset, rows, columns)
    }

    package var count: Int { rows * columns }
    /// The smaller side, which low-rank projections make smaller still.
    var short: Int { min(rows, columns) }
    var long: Int { max(rows, columns) }

    /// The rank of a projection that keeps a part of the smaller side: at least 1.
    func rank(_ part: Int) -> Int { max(1, short / part) }

    /// The matrix's gradient times `scale`, as [short][long].
    func gradient(_ all: UnsafePointer<Float>, scale: Float) -> [Float] {
        let from = all + offset
        guard rows >= columns else { return (0..<count).map { from[$0] * scale } }
        var turned = [Float](repeating: 0, count: count)
        for r in 0..<rows {
            for c in 0..<columns { turned[c * rows + r] = from[r * columns + c] * scale }
        }
        return turned
    }

    /// Subtracts `direction`, [short][long], times the rate, behind the decay of the values.
    func update(
        _ all: UnsafeMutablePointer<Float>, _ direction: [Float], rate: Float, decay: Float
    ) {
        let to = all + offset
        let shrink = 1 - rate * decay
        for r in 0..<rows {
            for c in 0..<columns {
                let i = rows >= columns ? c * rows + r : r * columns + c
                to[r * columns + c] = to[r * columns + c] * shrink - rate * direction[i]
            }
        }
    }
}

extension LowRankParameters {
    /// All that is learned: the factors, and a route's own numbers as one row.
    package var learned: [TrainingMatrix] {
        matrices
            + (extraLearned > 0 ? [TrainingMatrix(offset: extra, rows: 1, columns: extraLearned)] : [])
    }

    /// All factors: A as [rank][inputs], B as [rank][outputs]; and rows' lengths, as [1][outputs].
    package var matrices: [TrainingMatrix] {
        slots.flatMap { slot in
            [
                TrainingMatrix(offset: slot.a, rows: slot.rank, columns: slot.inputs),
                TrainingMatrix(offset: slot.b, rows: slot.rank, columns: slot.outputs),
            ]
                + (slot.magnitudes.map { [TrainingMatrix(offset: $0, rows: 1, columns: slot.outputs)] } ?? [])
        }
    }
}

/// An optimizer's state as bytes: steps (Int64), then runs of floats.
enum FloatState {
    static func bytes(_ steps: Int64, _ runs: [[Float]]) -> [UInt8] {
        MnemeTrain.bytes(of: [steps]) + runs.flatMap { MnemeTrain.bytes(of: $0) }
    }

    /// - Returns: nil if the bytes are not as many as runs of these counts have.
    static func read(_ state: [UInt8], _ counts: [Int]) -> (steps: Int64, runs: [[Float]])? {
        guard state.count == 8 + 4 * counts.reduce(0, +) else { return nil }
        var start = 8
        let runs = counts.map { count in
            defer { start += 4 * count }
            return numbers(Float.self, count: count, from: state[start..<start + 4 * count])
        }
        return (numbers(Int64.self, count: 1, from: state[..<8])[0], runs)
    }
}
