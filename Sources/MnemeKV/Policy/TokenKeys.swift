/// Codes keys by groups of a row's neighbouring elements, as values are: what KIVI's groups of one element over many
/// rows (``KVCodec``) are compared with at the same bytes (Liu et al. 2024).
///
/// As there, the quarter of the groups of keys whose range is widest has twice the bits.
public struct TokenKeys: KVCoder, KVPageEncoder {
    /// Bits of an element, and elements that share levels.
    public var bits: Int, group: Int

    /// By default two bits in groups of 32.
    public init(bits: Int = 2, group: Int = 32) { (self.bits, self.group) = (bits, group) }

    /// The same for all heads.
    public func encoder(_ rows: KVRows) -> any KVPageEncoder { self }

    /// Elements become one of their group's evenly spaced levels.
    public func code(_ page: inout KVCodedPage, below: () -> [KVCodedPage]) -> Int {
        var bytes = 0
        func round(_ rows: [[Float]], wide share: Double) -> [[Float]] {
            let parts = rows.map { row in
                stride(from: 0, to: row.count, by: group).map { Array(row[$0..<min(row.count, $0 + group)]) }
            }
            let flat = parts.flatMap(\.self)
            let ranges = flat.map { ($0.max() ?? 0) - ($0.min() ?? 0) }
            let order = ranges.indices.sorted { (ranges[$0], $1) > (ranges[$1], $0) }
            let wide = Set(order.prefix(Int(share * Double(flat.count))))
            var next = 0
            return parts.map { row in
                row.flatMap { part in
                    let bits = wide.contains(next) ? 2 * bits : bits
                    next += 1
                    bytes += EvenLevels.bytes(part.count, bits: bits)
                    return EvenLevels.round(part, bits: bits)
                }
            }
        }
        page.keys = round(page.keys, wide: 0.25)
        page.values = round(page.values, wide: 0)
        return bytes
    }
}
