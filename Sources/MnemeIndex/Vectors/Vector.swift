import MnemeNumerics

/// Vectors as all indexes treat them.
package enum Vector {
    /// Cosine similarity of a unit vector and a sum of vectors; 0 where they cancel out.
    package static func cosine(unit: [Float], sum: UnsafePointer<Float>) -> Float {
        let norm = dotProduct(sum, sum, count: unit.count).squareRoot()
        guard norm > 0 else { return 0 }
        return unit.withUnsafeBufferPointer { unit in
            unit.baseAddress.map { dotProduct($0, sum, count: unit.count) / norm } ?? 0
        }
    }

    /// The vector at length 1; a zero vector stays zero.
    ///
    /// - Throws: ``IndexError`` for another dimension or an element that is not finite.
    package static func normalized(_ vector: [Float], dimension: Int, what: String) throws -> [Float] {
        guard vector.count == dimension else {
            throw IndexError(
                .invalid,
                "\(what) has \(vector.count) elements; this index holds vectors of \(dimension).")
        }
        let square = dotProduct(vector, vector, count: dimension)
        guard square.isFinite else {
            // Finite elements may be too large to square.
            guard vector.allSatisfy(\.isFinite), let highest = vector.map(abs).max() else {
                throw IndexError(.invalid, "\(what) has an element that is not a finite number.")
            }
            return try normalized(vector.map { $0 / highest }, dimension: dimension, what: what)
        }
        guard square > 0 else { return vector }
        if abs(square - 1) < 1e-6 { return vector }
        let factor = 1 / square.squareRoot()
        guard factor.isFinite else { return [Float](repeating: 0, count: dimension) }
        return vector.map { $0 * factor }
    }

    /// Checks changes before any of them is made.
    ///
    /// - Returns: the vectors at length 1; of several of one key, the last.
    package static func checked(_ changes: VectorChanges, dimension: Int) throws -> [(
        key: Int, vector: [Float]
    )] {
        // Of several vectors for one key the last counts.
        var last: [Int: Int] = [:]
        for (i, item) in changes.inserted.enumerated() {
            guard item.key >= 0, item.key < VectorLimits.keys else {
                throw IndexError(
                    .invalid, "The key \(item.key) lies outside 0..<\(VectorLimits.keys).")
            }
            last[item.key] = i
        }
        return try changes.inserted.enumerated().compactMap { i, item in
            last[item.key] == i
                ? (
                    item.key,
                    try normalized(
                        item.vector, dimension: dimension, what: "The vector of key \(item.key)")
                )
                : nil
        }
    }

    /// - Throws: ``IndexError`` if vectors of so many elements are not taken.
    package static func check(dimension: Int) throws {
        guard (1...VectorLimits.dimension).contains(dimension) else {
            throw IndexError(
                .invalid, "Vectors have 1 to \(VectorLimits.dimension) elements, not \(dimension).")
        }
    }
}
