import MnemeBase

/// Keeps the rows whose keys are least like combinations of the others: those with the highest
/// leverage scores, whatever will be asked (Compactor, Chari and Van Durme 2025).
///
/// The leverage of row i of a matrix A is aᵢ(AᵀA)⁻¹aᵢᵀ. It is approximated by keys projected to fewer
/// elements by random signs, as in the paper; a small multiple of the unit matrix keeps the inverse
/// in bounds. No attention is looked at. The paper's blend with attention within chunks, and the
/// ratio that it chooses for each text, are not here.
public struct Compactor: TokenScorer {
    /// Elements that keys are projected to, the ridge relative to the mean square, and the last rows,
    /// which stay.
    public var sketch: Int, ridge: Float, recent: Int

    /// A sketch of 32 elements.
    public init(sketch: Int = 32, ridge: Float = 1e-3, recent: Int = 32) {
        (self.sketch, self.ridge, self.recent) = (sketch, ridge, recent)
    }

    /// The policy needs no attention weights.
    public var needs: AttentionNeed { .none }

    /// Leverage scores; infinity for the last rows.
    ///
    /// - Complexity: O(rows·sketch·(dimension + sketch)).
    public func scores(_ rows: KVRows) -> [Float] {
        Self.leverage(
            (0..<rows.count).map(rows.key), sketch: min(sketch, rows.dimension), ridge: ridge
        )
        .enumerated().map { $0 + recent >= rows.count ? .infinity : $1 }
    }

    /// The leverage of each key among all.
    public static func leverage(_ keys: [[Float]], sketch k: Int, ridge: Float) -> [Float] {
        guard let d = keys.first?.count else { return [] }
        var random = SplitMix64(seed: 156)
        // Of no fewer elements than there are, keys are taken as they are.
        let signs = (0..<d * k).map { i -> Float in
            k == d ? (i / k == i % k ? 1 : 0) : random.next() & 1 == 0 ? 1 : -1
        }
        let projected = keys.map { key -> [Float] in
            var out = [Float](repeating: 0, count: k)
            for (e, x) in key.enumerated() { for j in 0..<k { out[j] += x * signs[e * k + j] } }
            return out
        }
        // The lower triangle of AᵀA, then its Cholesky factor L in place.
        var l = [Float](repeating: 0, count: k * k)
        for row in projected {
            for i in 0..<k { for j in 0...i { l[i * k + j] += row[i] * row[j] } }
        }
        let trace = (0..<k).reduce(Float(0)) { $0 + l[$1 * k + $1] }
        for i in 0..<k { l[i * k + i] += max(ridge * trace / Float(k), 1e-6) }
        for j in 0..<k {
            for i in j..<k {
                var sum = l[i * k + j]
                for m in 0..<j { sum -= l[i * k + m] * l[j * k + m] }
                l[i * k + j] = i == j ? max(sum, 1e-12).squareRoot() : sum / l[j * k + j]
            }
        }
        // a(LLᵀ)⁻¹aᵀ is the square of L⁻¹aᵀ.
        return projected.map { row in
            var solved = row
            for i in 0..<k {
                for m in 0..<i { solved[i] -= l[i * k + m] * solved[m] }
                solved[i] /= l[i * k + i]
            }
            return solved.reduce(0) { $0 + $1 * $1 }
        }
    }
}
