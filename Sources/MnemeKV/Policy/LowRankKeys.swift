public import MnemeModels

/// Keeps a head's keys as their shares in a few directions, taken out of their positions (the low-rank keys of
/// ShadowKV, Sun et al. 2025): before positions are put into them, keys lie close to a few directions.
///
/// The directions are those in which the prompt's keys have most of their length (the first singular vectors), found by
/// subspace iteration; later keys use the same. The paper takes the keys of all heads together; here each head has its
/// own directions. Values are not coded: they are what lies in a slower tier and is read where a page is chosen.
public struct LowRankKeys: KVCoder {
    /// The rotation that is taken out of keys.
    public var rope: RotaryEmbedding
    /// Directions, in share of a key's elements.
    public var share: Double

    /// By default half as many directions as elements.
    public init(rope: RotaryEmbedding, share: Double = 0.5) { (self.rope, self.share) = (rope, share) }

    /// The directions of a head's rows.
    public func encoder(_ rows: KVRows) -> any KVPageEncoder {
        let keys = (0..<rows.count).map { rope.rotated(rows.key($0), by: -Int(rows.positions[$0])) }
        return Encoder(rope: rope, directions: Self.directions(keys, max(1, Int(share * Double(rows.dimension)))))
    }

    /// So many directions at right angles that have most of the vectors' squares.
    ///
    /// - Complexity: O(vectors·elements² + rounds·elements²·count).
    static func directions(_ vectors: [[Float]], _ count: Int, rounds: Int = 30) -> [[Float]] {
        guard let d = vectors.first?.count else { return [] }
        var square = [Float](repeating: 0, count: d * d)
        for x in vectors {
            for i in 0..<d { for j in 0..<d { square[i * d + j] += x[i] * x[j] } }
        }
        // It begins with the elements that are largest.
        let order = (0..<d).sorted { (square[$0 * d + $0], $1) > (square[$1 * d + $1], $0) }
        var basis = order.prefix(count).map { e in (0..<d).map { $0 == e ? Float(1) : 0 } }
        for _ in 0..<rounds {
            basis = basis.map { x in
                (0..<d).map { i in
                    var sum: Float = 0
                    for j in 0..<d { sum += square[i * d + j] * x[j] }
                    return sum
                }
            }
            orthogonalize(&basis)
        }
        return basis
    }

    /// Gram–Schmidt, twice for what rounding leaves.
    private static func orthogonalize(_ basis: inout [[Float]]) {
        func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        for i in basis.indices {
            for _ in 0..<2 {
                for j in 0..<i {
                    let share = dot(basis[i], basis[j])
                    for e in basis[i].indices { basis[i][e] -= share * basis[j][e] }
                }
                let length = max(dot(basis[i], basis[i]).squareRoot(), 1e-20)
                for e in basis[i].indices { basis[i][e] /= length }
            }
        }
    }

    private struct Encoder: KVPageEncoder {
        let rope: RotaryEmbedding, directions: [[Float]]

        func code(_ page: inout KVCodedPage, below: () -> [KVCodedPage]) -> Int {
            page.keys = zip(page.keys, page.positions).map { key, position in
                let plain = rope.rotated(key, by: -Int(position))
                var result = [Float](repeating: 0, count: key.count)
                for direction in directions {
                    let share = Float(Float16(zip(plain, direction).reduce(0) { $0 + $1.0 * $1.1 }))
                    for e in result.indices { result[e] += share * direction[e] }
                }
                return rope.rotated(result, by: Int(position))
            }
            return 2 * page.keys.count * (directions.count + page.values[0].count)
        }
    }
}
