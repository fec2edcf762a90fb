import Foundation
import MnemeTrain
import Testing

/// Ten steps of each optimizer against those of its authors' package, or of a script after the paper
/// (`scripts/make_golden_optimizers.py`).
@Suite struct OptimizerGoldenTests {
    private struct Golden: Decodable {
        var shapes: [[Int]]
        var starts, targets, sides: [[Float]]
        var gap: Int64
        var rate: Float
        var values: [String: [[Float]]]
    }

    private static func golden() throws -> (Golden, [TrainingMatrix]) {
        let url = URL(fileURLWithPath: TrainingFixture.path("optimizers.json"))
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
        var end = 0
        let matrices = golden.shapes.map { shape in
            defer { end += shape[0] * shape[1] }
            return TrainingMatrix(offset: end, rows: shape[0], columns: shape[1])
        }
        return (golden, matrices)
    }

    /// side · (W - T) of each matrix.
    private static func gradients(
        _ values: [Float], _ golden: Golden, _ matrices: [TrainingMatrix]
    ) -> [Float] {
        var out = [Float](repeating: 0, count: values.count)
        for (i, m) in matrices.enumerated() {
            for r in 0..<m.rows {
                for c in 0..<m.columns {
                    var sum: Float = 0
                    for k in 0..<m.rows {
                        let j = k * m.columns + c
                        sum +=
                            golden.sides[i][r * m.rows + k]
                            * (values[m.offset + j] - golden.targets[i][j])
                    }
                    out[m.offset + r * m.columns + c] = sum
                }
            }
        }
        return out
    }

    private static func optimizer(
        _ name: String, _ matrices: [TrainingMatrix], gap: Int64
    ) throws -> any TrainingOptimizer {
        switch try #require(OptimizerKind(rawValue: name)) {
        case .galore: GaLore(matrices, gap: gap)
        case .naturalgalore: NaturalGaLore(matrices, gap: gap)
        case .frugal: Frugal(matrices, gap: gap)
        case .apollo: Apollo(matrices, isMini: false, gap: gap)
        default: Apollo(matrices, isMini: true, gap: gap)
        }
    }

    @Test(arguments: ["galore", "naturalgalore", "frugal", "apollo", "apollomini"])
    func `ten steps give the values of the authors' package or the paper's algorithm`(
        name: String
    ) throws {
        let (golden, matrices) = try Self.golden()
        var optimizer = try Self.optimizer(name, matrices, gap: golden.gap)
        let start = golden.starts.flatMap { $0 }
        var values = start
        for _ in 0..<10 {
            let gradients = Self.gradients(values, golden, matrices)
            optimizer.step(&values, gradients: gradients, scale: 1, rate: golden.rate, decay: 0)
        }
        let expected = try #require(golden.values[name]).flatMap { $0 }
        // By the way that was gone, not by the values, which start far from zero.
        let moved = zip(values, start).map { $0 - $1 }
        let wanted = zip(expected, start).map { $0 - $1 }
        #expect(TrainingFixture.distance(moved, wanted) < 1e-4)
    }

    @Test func `states have the bytes of their papers' formulas`() {
        let (m, n, offset) = (8, 576, 8 * 576)
        let matrices = [
            TrainingMatrix(offset: 0, rows: m, columns: n),
            TrainingMatrix(offset: offset, rows: m, columns: n),
        ]
        func bytes(_ kind: OptimizerKind) -> Int { kind.make(matrices).stateBytes / 2 }
        #expect(bytes(.adamw) == 4 * 2 * m * n)
        // GaLore: 2nr + mr floats at r = 4. Natural GaLore: four gradients of nr more.
        #expect(bytes(.galore) == 4 * (2 * n * 4 + m * 4))
        #expect(bytes(.naturalgalore) == 4 * (2 * n * 4 + m * 4 + 4 * n * 4))
        // FRUGAL: two moments of ρmn, ρ = 1/4.
        #expect(bytes(.frugal) == 4 * 2 * m * n / 4)
        // APOLLO: 2nr + 2, less the seed, which follows from the place; r = 2, and 1 for Mini.
        #expect(bytes(.apollo) == 4 * (2 * n * 2 + 1))
        #expect(bytes(.apollomini) == 4 * (2 * n + 1))
    }

    @Test(arguments: OptimizerKind.allCases)
    func `a state is all that the next steps need, and another's is refused`(
        kind: OptimizerKind
    ) throws {
        let (golden, matrices) = try Self.golden()
        var values = golden.starts.flatMap { $0 }
        func run(_ optimizer: inout any TrainingOptimizer, _ values: inout [Float], steps: Int) {
            for _ in 0..<steps {
                let gradients = Self.gradients(values, golden, matrices)
                optimizer.step(&values, gradients: gradients, scale: 0.5, rate: 0.01, decay: 0.1)
            }
        }
        var whole = kind.make(matrices)
        run(&whole, &values, steps: 3)
        var copy = try #require(kind.restore(matrices, state: whole.state))
        #expect(copy.stateBytes == whole.stateBytes)
        var again = values
        run(&whole, &values, steps: 3)
        run(&copy, &again, steps: 3)
        #expect(values == again)
        #expect(copy.state == whole.state)
        #expect(kind.restore(matrices, state: Array(whole.state.dropLast())) == nil)
        #expect(kind.restore(Array(matrices.dropLast()), state: whole.state) == nil)
    }

    @Test func `a matrix whose first gradients are zero learns as soon as they are not`() {
        let matrix = [TrainingMatrix(offset: 0, rows: 4, columns: 9)]
        for kind in OptimizerKind.allCases {
            var optimizer = kind.make(matrix)
            var values = [Float](repeating: 1, count: 36)
            let none = [Float](repeating: 0, count: 36)
            optimizer.step(&values, gradients: none, scale: 1, rate: 0.1, decay: 0)
            #expect(values.allSatisfy { $0 == 1 }, "\(kind)")
            for _ in 0..<3 {
                let gradients = values.indices.map { values[$0] * Float($0 % 5 + 1) }
                optimizer.step(&values, gradients: gradients, scale: 1, rate: 0.1, decay: 0)
            }
            #expect(values.reduce(0, +) < 35, "\(kind)")
        }
    }

    @Test func `natural gradients are those of the dense Fisher matrix`() {
        let columns: [[Double]] = [[1, 2, 0.5], [-1, 0.25, 3], [0.5, 0.5, -2]]
        let flat = columns.flatMap { $0.map { Float($0) } }
        let lambda = NaturalGaLore.damping * flat.reduce(0.0) { $0 + Double($1 * $1) } / 3
        let found = NaturalGaLore.natural(Array(flat[..<3]), flat).map { Double($0) }
        // (λI + G·Gᵀ) · found = λ · g.
        for i in 0..<3 {
            var sum = lambda * found[i]
            for column in columns {
                sum += column[i] * zip(column, found).reduce(0) { $0 + $1.0 * $1.1 }
            }
            #expect(abs(sum - lambda * columns[0][i]) < 1e-5)
        }
    }
}
