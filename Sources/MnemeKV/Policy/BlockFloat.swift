import Foundation
public import MnemeModels

/// Stores keys as blocks of whole numbers that share an exponent, with the elements put in an order by which large ones
/// share blocks with large ones ("Accurate Block Quantization in LLMs with Outliers", Trukhanov and Soloveychik 2024).
///
/// One large element makes its whole block coarse. Which elements of a head are large is a matter of the model, so that
/// the order is measured once on a sample; in the model, rows of the matrices of queries and keys would be put in that
/// order, so that it costs nothing while tokens are computed. Here elements are put in order and back again while a page
/// is coded, which comes to the same numbers. Values have blocks of their own, in the order they come in.
public struct BlockFloat: KVCoder {
    /// Bits of a number with its sign, and elements of a block.
    public var bits: Int, block: Int
    /// The order of each head's key elements, by layers; empty leaves them as they are.
    public var orders: [[[Int]]]

    /// By default four bits in blocks of 16.
    public init(bits: Int = 4, block: Int = 16, orders: [[[Int]]] = []) {
        (self.bits, self.block, self.orders) = (bits, block, orders)
    }

    /// A head's order.
    public func encoder(_ rows: KVRows) -> any KVPageEncoder {
        Encoder(coder: self, order: orders.isEmpty ? Array(0..<rows.dimension) : orders[rows.layer][rows.head])
    }

    /// Elements by the largest that each was on a sample, the largest first.
    public static func order(_ keys: [[Float]]) -> [Int] {
        let most = keys.transposed.map { $0.reduce(0) { max($0, abs($1)) } }
        return most.indices.sorted { (most[$0], $1) > (most[$1], $0) }
    }

    /// The orders of all heads.
    ///
    /// - Throws: ``KVError`` without memory.
    public static func orders(_ decoder: TransformerDecoder, tokens: [Int32]) throws -> [[[Int]]] {
        try CompressedCache.sample(decoder, tokens) { heads in
            heads.map { rows in order((0..<rows.count).map(rows.key)) }
        }
    }

    /// Numbers with a common exponent: whole multiples of a power of two, of which the largest needs all bits.
    static func round(_ numbers: [Float], bits: Int) -> [Float] {
        let most = numbers.reduce(0) { max($0, abs($1)) }
        guard most > 0 else { return numbers }
        let top = Float(1 << (bits - 1) - 1)
        // The least power of two by which the largest fits.
        let step = exp2(ceil(log2(most / top)))
        return numbers.map { step * min(top, max(-top, ($0 / step).rounded())) }
    }

    private struct Encoder: KVPageEncoder {
        let coder: BlockFloat, order: [Int]

        func code(_ page: inout KVCodedPage, below: () -> [KVCodedPage]) -> Int {
            var bytes = 0
            /// Blocks of a vector's elements in an order.
            func round(_ vector: [Float], _ order: [Int]) -> [Float] {
                var result = vector
                for start in stride(from: 0, to: order.count, by: coder.block) {
                    let places = order[start..<min(order.count, start + coder.block)]
                    let rounded = BlockFloat.round(places.map { vector[$0] }, bits: coder.bits)
                    for (place, x) in zip(places, rounded) { result[place] = x }
                    bytes += (places.count * coder.bits + 7) / 8 + 1
                }
                return result
            }
            let plain = Array(order.indices)
            page.keys = page.keys.map { round($0, order) }
            page.values = page.values.map { round($0, plain) }
            return bytes
        }
    }
}
