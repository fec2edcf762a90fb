import Foundation
import MnemeBase

/// A projection of the smaller side of gradients onto fewer dimensions: [rank][short].
///
/// Products are summed in one order, so that results are the same bits always.
struct Projector {
    let rank: Int
    let short: Int
    var rows: [Float]

    /// GaLore's: the left singular vectors of the gradient's largest singular values.
    ///
    /// A vector's sign is that which makes its largest component positive: singular vectors have
    /// none of their own, and moments are kept over a change of the projection.
    ///
    /// - Parameter gradient: [short][long].
    /// - Complexity: O(short² · long + short³).
    init(singular gradient: [Float], rank: Int, short: Int) {
        let long = gradient.count / short
        var square = [Double](repeating: 0, count: short * short)
        for i in 0..<short {
            for j in i..<short {
                var sum = 0.0
                for l in 0..<long {
                    sum += Double(gradient[i * long + l]) * Double(gradient[j * long + l])
                }
                square[i * short + j] = sum
                square[j * short + i] = sum
            }
        }
        let vectors = SymmetricEigen(square, short).vectors.prefix(rank)
        self.init(
            rank: rank, short: short,
            rows: vectors.flatMap { vector in
                let largest = vector.max { abs($0) < abs($1) } ?? 0
                return vector.map { Float(largest < 0 ? -$0 : $0) }
            })
    }

    /// APOLLO's: normal numbers of variance 1/rank, by the seed alone.
    init(gaussian seed: UInt64, rank: Int, short: Int) {
        var generator = SplitMix64(seed: SplitMix64.mixed(seed))
        let deviation = 1 / Double(rank).squareRoot()
        // Box and Muller's transform, of which the cosine is used.
        let rows = (0..<rank * short).map { _ in
            let radius = (-2 * log(1 - generator.unit())).squareRoot()
            return Float(radius * cos(2 * .pi * generator.unit()) * deviation)
        }
        self.init(rank: rank, short: short, rows: rows)
    }

    init(rank: Int, short: Int, rows: [Float]) {
        (self.rank, self.short, self.rows) = (rank, short, rows)
    }

    /// The projection of a matrix [short][long]: [rank][long].
    func down(_ matrix: [Float]) -> [Float] {
        let long = matrix.count / short
        var low = [Float](repeating: 0, count: rank * long)
        for r in 0..<rank {
            for s in 0..<short {
                let weight = rows[r * short + s]
                for l in 0..<long { low[r * long + l] += weight * matrix[s * long + l] }
            }
        }
        return low
    }

    /// Back from [rank][long] to [short][long].
    func up(_ low: [Float]) -> [Float] {
        let long = low.count / rank
        var matrix = [Float](repeating: 0, count: short * long)
        for s in 0..<short {
            for r in 0..<rank {
                let weight = rows[r * short + s]
                for l in 0..<long { matrix[s * long + l] += weight * low[r * long + l] }
            }
        }
        return matrix
    }
}

/// The eigenvectors of a symmetric matrix, those of the largest values first, by Jacobi's rotations
/// in one fixed order.
struct SymmetricEigen {
    let vectors: [[Double]]

    /// - Parameter matrix: [n][n].
    /// - Complexity: O(n³) a sweep, of which there are some ten.
    init(_ matrix: [Double], _ n: Int) {
        var a = matrix
        var v = [Double](repeating: 0, count: n * n)
        for i in 0..<n { v[i * n + i] = 1 }
        for _ in 0..<40 {
            var off = 0.0
            for p in 0..<n { for q in p + 1..<max(n, p + 1) { off += a[p * n + q] * a[p * n + q] } }
            let trace = (0..<n).reduce(0.0) { $0 + a[$1 * n + $1] * a[$1 * n + $1] }
            guard off > 1e-30 * trace else { break }
            for p in 0..<n {
                for q in p + 1..<max(n, p + 1) where a[p * n + q] != 0 {
                    let theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q])
                    let sign: Double = theta < 0 ? -1 : 1
                    let t = sign / (abs(theta) + (theta * theta + 1).squareRoot())
                    let c = 1 / (t * t + 1).squareRoot()
                    let s = t * c
                    for k in 0..<n {
                        let (x, y) = (a[k * n + p], a[k * n + q])
                        (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y)
                    }
                    for k in 0..<n {
                        let (x, y) = (a[p * n + k], a[q * n + k])
                        (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y)
                        let (u, w) = (v[p * n + k], v[q * n + k])
                        (v[p * n + k], v[q * n + k]) = (c * u - s * w, s * u + c * w)
                    }
                }
            }
        }
        let order = (0..<n).sorted {
            let (x, y) = (a[$0 * n + $0], a[$1 * n + $1])
            return x != y ? x > y : $0 < $1
        }
        vectors = order.map { Array(v[$0 * n..<($0 + 1) * n]) }
    }
}
