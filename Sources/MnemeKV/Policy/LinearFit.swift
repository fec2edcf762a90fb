/// Least squares for many targets at once: targets as sums of features and a constant, with a small penalty of large
/// weights (ridge regression).
package struct LinearFit: Sendable {
    /// Of each target a weight for each feature, and the constant last.
    package private(set) var weights: [[Float]] = []

    /// Fits rows of features to rows of targets.
    ///
    /// - Parameter ridge: the penalty, in share of the features' mean square.
    /// - Complexity: O(rows·features² + features³).
    package init(_ features: [[Float]], _ targets: [[Float]], ridge: Double = 1e-2) {
        guard let f = features.first?.count, let t = targets.first?.count else { return }
        let n = f + 1
        // The lower triangle of XᵀX, and XᵀY.
        var square = [Double](repeating: 0, count: n * n)
        var product = [Double](repeating: 0, count: n * t)
        square.withUnsafeMutableBufferPointer { square in
            product.withUnsafeMutableBufferPointer { product in
                for (x, y) in zip(features, targets) {
                    let (x, y) = (x.map(Double.init) + [1], y.map(Double.init))
                    x.withUnsafeBufferPointer { x in
                        for i in 0..<n {
                            for j in 0...i { square[i * n + j] += x[i] * x[j] }
                            for j in 0..<t { product[i * t + j] += x[i] * y[j] }
                        }
                    }
                }
            }
        }
        let trace = (0..<f).reduce(0) { $0 + square[$1 * n + $1] }
        // The constant is free.
        for i in 0..<f { square[i * n + i] += max(ridge * trace / Double(max(1, f)), 1e-9) }
        Self.factor(&square, n)
        Self.solve(square, n, &product, t)
        weights = (0..<t).map { j in (0..<n).map { Float(product[$0 * t + j]) } }
    }

    /// The targets that features speak for.
    package func callAsFunction(_ features: [Float]) -> [Float] {
        weights.map { weights in
            var sum = weights[features.count]
            for (i, x) in features.enumerated() { sum += x * weights[i] }
            return sum
        }
    }

    /// The Cholesky factor of a matrix, of which the lower triangle is given, in its place.
    private static func factor(_ l: inout [Double], _ n: Int) {
        l.withUnsafeMutableBufferPointer { l in
            for j in 0..<n {
                for i in j..<n {
                    var sum = l[i * n + j]
                    for m in 0..<j { sum -= l[i * n + m] * l[j * n + m] }
                    l[i * n + j] = i == j ? max(sum, 1e-12).squareRoot() : sum / l[j * n + j]
                }
            }
        }
    }

    /// L⁻ᵀL⁻¹ times columns, in their place.
    private static func solve(_ l: [Double], _ n: Int, _ b: inout [Double], _ columns: Int) {
        l.withUnsafeBufferPointer { l in b.withUnsafeMutableBufferPointer { solve(l, n, $0, columns) } }
    }

    private static func solve(
        _ l: UnsafeBufferPointer<Double>, _ n: Int, _ b: UnsafeMutableBufferPointer<Double>, _ columns: Int
    ) {
        for i in 0..<n {
            for m in 0..<i { for c in 0..<columns { b[i * columns + c] -= l[i * n + m] * b[m * columns + c] } }
            for c in 0..<columns { b[i * columns + c] /= l[i * n + i] }
        }
        for i in (0..<n).reversed() {
            for m in i + 1..<n { for c in 0..<columns { b[i * columns + c] -= l[m * n + i] * b[m * columns + c] } }
            for c in 0..<columns { b[i * columns + c] /= l[i * n + i] }
        }
    }
}
