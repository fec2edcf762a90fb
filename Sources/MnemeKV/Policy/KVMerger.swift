import Foundation

/// Merges an evicted row into the nearest kept one among neighbours with like keys, weighted by a
/// Gaussian of the distance of their keys (KVMerger, Wang et al. 2024).
///
/// Neighbours whose keys have a cosine above the threshold make a set; rows are merged within their
/// set alone. A row without a kept one in its set is dropped. The width of the Gaussian is the mean
/// squared distance of those that are merged.
public struct KVMerger: Disposer {
    /// The least cosine of the keys of neighbours that belong together.
    public var threshold: Float

    /// The paper uses 0.75 and more, by model.
    public init(threshold: Float = 0.75) { self.threshold = threshold }

    /// The merged keys and values of the kept rows that take some in.
    ///
    /// - Complexity: O(rows·dimension).
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] {
        let keys = (0..<rows.count).map(rows.key)
        func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        let squares = keys.map { dot($0, $0) }
        // Sets of neighbours.
        var sets: [Int] = [0]
        for i in 1..<max(1, rows.count) {
            let similarity =
                dot(keys[i - 1], keys[i]) / max((squares[i - 1] * squares[i]).squareRoot(), 1e-9)
            sets.append(sets[i - 1] + (similarity > threshold ? 0 : 1))
        }
        var members: [Int: [Int]] = [:]
        var next = 0
        for row in lost {
            while next < kept.count, kept[next] < row { next += 1 }
            let beside = [next > 0 ? kept[next - 1] : nil, next < kept.count ? kept[next] : nil]
                .compactMap { $0 }
                .filter { sets[$0] == sets[row] }
            if let nearest = beside.min(by: { abs($0 - row) < abs($1 - row) }) {
                members[nearest, default: []].append(row)
            }
        }
        return members.sorted { $0.key < $1.key }.map { pivot, others in
            let distances = others.map {
                max(0, squares[pivot] + squares[$0] - 2 * dot(keys[pivot], keys[$0]))
            }
            let width = max(distances.reduce(0, +) / Float(distances.count), 1e-9)
            let weights = [1] + distances.map { exp(-$0 / (2 * width)) }
            let total = weights.reduce(0, +)
            var change = KVChange(
                row: pivot, key: [Float](repeating: 0, count: rows.dimension),
                value: [Float](repeating: 0, count: rows.dimension))
            for (row, weight) in zip([pivot] + others, weights) {
                let value = rows.value(row)
                for i in 0..<rows.dimension {
                    change.key[i] += keys[row][i] * weight / total
                    change.value[i] += value[i] * weight / total
                }
            }
            return change
        }
    }
}
