/// Natural GaLore (Das 2024) [168]: GaLore whose projected gradients are multiplied by the inverse
/// of the empirical Fisher matrix of the last ones.
///
/// With the last s projected gradients as columns of G, (λI + G·Gᵀ)⁻¹ g is, by Woodbury's identity
/// and but for a factor 1/λ that Adam takes out, g - G·(λI + Gᵀ·G)⁻¹·Gᵀ·g: a system of s equations.
/// The state is GaLore's and s · n · r floats more. λ is relative to the mean square of G's columns,
/// since gradients are of any size.
package struct NaturalGaLore: TrainingOptimizer {
    /// Gradients of the past that are kept, the present one among them: s.
    static let history = 4
    /// λ, as a part of the mean square of the columns.
    package static let damping = 1.0

    private var galore: GaLore
    private let gap: Int64
    private var steps: Int64 = 0
    /// Of each matrix: its last projected gradients, [history][rank · long], written in turn.
    private var past: [[Float]]

    package init(_ matrices: [TrainingMatrix]) { self.init(matrices, gap: GaLore.gap) }

    package init(_ matrices: [TrainingMatrix], gap: Int64) {
        galore = GaLore(matrices, gap: gap)
        self.gap = gap
        past = matrices.map {
            [Float](repeating: 0, count: Self.history * $0.rank(GaLore.part) * $0.long)
        }
    }

    package var stateBytes: Int { galore.stateBytes + 4 * past.reduce(0) { $0 + $1.count } }

    package mutating func step(
        _ values: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, scale: Float,
        rate: Float, decay: Float
    ) {
        let place = Int(steps % Int64(Self.history))
        steps += 1
        // Taken out and put back, so that it is not copied.
        var past: [[Float]] = []
        swap(&past, &self.past)
        let size = StepSize(scale: scale, rate: rate, decay: decay)
        galore.step(values, gradients: gradients, size) { i, low, isNew in
            // Gradients in another space tell nothing of this one.
            if isNew { past[i] = [Float](repeating: 0, count: past[i].count) }
            past[i].replaceSubrange(place * low.count..<(place + 1) * low.count, with: low)
            return Self.natural(low, past[i])
        }
        self.past = past
    }

    /// g - G·(λI + Gᵀ·G)⁻¹·Gᵀ·g.
    ///
    /// - Parameter columns: G's, one behind the other, g among them.
    package static func natural(_ g: [Float], _ columns: [Float]) -> [Float] {
        let n = g.count
        let s = columns.count / n
        func dot(_ x: ArraySlice<Float>, _ y: ArraySlice<Float>) -> Double {
            zip(x, y).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        }
        let parts = (0..<s).map { columns[$0 * n..<($0 + 1) * n] }
        var system = parts.map { x in parts.map { dot(x, $0) } }
        let lambda = damping * (0..<s).reduce(0.0) { $0 + system[$1][$1] } / Double(s)
        guard lambda > 0 else { return g }
        for i in 0..<s { system[i][i] += lambda }
        let weights = solve(system, parts.map { dot($0, g[...]) })
        var out = g
        for (part, weight) in zip(parts, weights) {
            for (i, x) in part.enumerated() { out[i] -= Float(weight) * x }
        }
        return out
    }

    /// The solution of a system whose matrix is symmetric and positive definite, by Cholesky.
    private static func solve(_ a: [[Double]], _ b: [Double]) -> [Double] {
        let n = b.count
        var (l, x) = (a, b)
        for i in 0..<n {
            for j in 0...i {
                let sum = (0..<j).reduce(l[i][j]) { $0 - l[i][$1] * l[j][$1] }
                l[i][j] = i == j ? sum.squareRoot() : sum / l[j][j]
            }
            x[i] = (0..<i).reduce(x[i]) { $0 - l[i][$1] * x[$1] } / l[i][i]
        }
        for i in (0..<n).reversed() {
            x[i] = (i + 1..<max(n, i + 1)).reduce(x[i]) { $0 - l[$1][i] * x[$1] } / l[i][i]
        }
        return x
    }

    package var state: [UInt8] { FloatState.bytes(steps, past) + galore.state }

    package init?(_ matrices: [TrainingMatrix], state: [UInt8]) {
        self.init(matrices)
        let bytes = 8 + 4 * past.reduce(0) { $0 + $1.count }
        guard state.count > bytes,
            let found = FloatState.read(Array(state[..<bytes]), past.map(\.count)),
            let galore = GaLore(matrices, state: Array(state[bytes...]))
        else { return nil }
        (steps, past, self.galore) = (found.steps, found.runs, galore)
    }
}
