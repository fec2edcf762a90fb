/// Codes full pages of rows in a way of its own, where ``KVCodec``'s groups are not what a method is about.
///
/// In memory pages stay halves that hold what the codes say: so a method's loss is exact, and its bytes are
/// counted. Rows are coded behind the prompt, each page once; a head's first page stays as it is. Goes with
/// policies that evict nothing once rows are coded.
public protocol KVCoder: Sendable {
    /// What codes the pages of one head, made when its first page is due.
    ///
    /// - Parameter rows: the head's rows at that time: those of a whole prompt, if it is coded at its end.
    /// - Complexity: should be O(rows·dimension²) at most.
    func encoder(_ rows: KVRows) -> any KVPageEncoder
}

/// What a ``KVCoder`` knows of one head.
public protocol KVPageEncoder {
    /// Makes a page what its codes say of it.
    ///
    /// - Parameters:
    ///   - page: exact rows; keys and values may change, positions may not.
    ///   - below: the same page of the heads of the layer below, coded already; empty for the first layer, and
    ///     where that layer has other rows.
    /// - Returns: bytes of the codes.
    func code(_ page: inout KVCodedPage, below: () -> [KVCodedPage]) -> Int
}

/// A page's rows as floats.
public struct KVCodedPage: Sendable, Equatable {
    /// The rows' positions.
    public var positions: [Int32]
    /// Keys, rotated by their positions, and values; a vector a row.
    public var keys: [[Float]], values: [[Float]]

    /// Rows of a page.
    public init(positions: [Int32], keys: [[Float]], values: [[Float]]) {
        (self.positions, self.keys, self.values) = (positions, keys, values)
    }
}

/// What coding or merging changed: sums of squares of the changes, and of what there was.
package struct KVChangeMeter {
    private var changes = 0.0, whole = 0.0

    /// Counts vectors in before and after.
    mutating func add(_ before: [[Float]], _ after: [[Float]]) {
        for (a, b) in zip(before, after) {
            for (x, y) in zip(a, b) {
                changes += Double((x - y) * (x - y))
                whole += Double(x * x)
            }
        }
    }

    /// The length of all changes against that of what there was; nil if there was nothing.
    package var relative: Double? { whole > 0 ? (changes / whole).squareRoot() : nil }
}

/// Evenly spaced levels between the lowest and the highest of a group of numbers, as ``KVCodec`` has them.
enum EvenLevels {
    /// Bytes of a group: its codes, and two halves for its levels.
    static func bytes(_ count: Int, bits: Int) -> Int { (count * bits + 7) / 8 + 4 }

    /// The numbers as the nearest levels.
    static func round(_ group: [Float], bits: Int) -> [Float] {
        guard let least = group.min(), let most = group.max(), most > least else { return group }
        let low = Float(Float16(least))
        let step = max(Float(Float16((most - low) / Float(1 << bits - 1))), 1e-7)
        let top = Float(1 << bits - 1)
        return group.map { low + step * min(top, max(0, (($0 - low) / step).rounded())) }
    }
}

extension [[Float]] {
    /// Rows as columns, and the other way.
    package var transposed: [[Float]] {
        guard let first else { return [] }
        return first.indices.map { e in map { $0[e] } }
    }
}
