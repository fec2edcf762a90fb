import MnemeNumerics

/// What disposers that merge by likeness have in common.
extension KVRows {
    /// The kept row that each of some rows is most like, by the cosine of keys.
    ///
    /// - Complexity: O(some·kept·dimension).
    func nearest(to some: [Int], among kept: [Int]) -> [(row: Int, similarity: Float)] {
        guard !kept.isEmpty else { return [] }
        func unit(_ row: Int) -> [Float] {
            let key = key(row)
            let length = max(key.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-9)
            return key.map { $0 / length }
        }
        let targets = kept.flatMap(unit)
        return targets.withUnsafeBufferPointer { targets in
            some.map { row in
                let key = unit(row)
                var best = (row: kept[0], similarity: -Float.infinity)
                for (k, target) in kept.enumerated() {
                    let cosine = dotProduct(targets.baseAddress! + k * dimension, key, count: dimension)
                    if cosine > best.similarity { best = (target, cosine) }
                }
                return best
            }
        }
    }

    /// The weighted mean of rows, in place of the first.
    func merged(_ members: [(row: Int, weight: Float)]) -> KVChange {
        let total = members.reduce(0) { $0 + $1.weight }
        var change = KVChange(
            row: members[0].row, key: [Float](repeating: 0, count: dimension),
            value: [Float](repeating: 0, count: dimension))
        for (row, weight) in members {
            for (e, x) in key(row).enumerated() { change.key[e] += x * weight / total }
            for (e, x) in value(row).enumerated() { change.value[e] += x * weight / total }
        }
        return change
    }
}
