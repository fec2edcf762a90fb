import MnemeNumerics

/// Cuts a set of vectors in two.
enum TwoMeans {
    /// Two centroids and who belongs to the second: 2-means on the sphere, each side with at least
    /// a quarter.
    static func halves(_ vectors: [[Float]], dimension: Int) -> ([Float], [Float], [Bool]) {
        /// The mean of some vectors, scaled to length 1.
        func mean(_ members: [Int]) -> [Float] {
            var sum = [Float](repeating: 0, count: dimension)
            for i in members { for d in 0..<dimension { sum[d] += vectors[i][d] } }
            return (try? Vector.normalized(sum, dimension: dimension, what: "")) ?? sum
        }
        /// The vector that is least like a point.
        func farthest(from point: [Float]) -> Int {
            vectors.indices.min {
                dotProduct(vectors[$0], point, count: dimension)
                    < dotProduct(vectors[$1], point, count: dimension)
            }!
        }
        // It begins with two that are far apart: the farthest from the mean, and the farthest from
        // that.
        let all = Array(vectors.indices)
        var first = vectors[farthest(from: mean(all))]
        var second = vectors[farthest(from: first)]
        var order = all
        var cut = all.count / 2
        // Eight rounds: of a hundred vectors the halves hardly change any more. Equal leanings go
        // by number, so that the same vectors give the same halves.
        for _ in 0..<8 {
            let lean = vectors.map {
                dotProduct($0, second, count: dimension) - dotProduct($0, first, count: dimension)
            }
            order = all.sorted { lean[$0] != lean[$1] ? lean[$0] < lean[$1] : $0 < $1 }
            cut = min(
                max(order.firstIndex { lean[$0] > 0 } ?? order.count, order.count / 4),
                order.count * 3 / 4)
            (first, second) = (mean(Array(order[..<cut])), mean(Array(order[cut...])))
        }
        var isSecond = [Bool](repeating: false, count: vectors.count)
        for i in order[cut...] { isSecond[i] = true }
        return (first, second, isSecond)
    }
}
