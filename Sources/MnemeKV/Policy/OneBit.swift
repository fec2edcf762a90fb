/// Stores rows at one bit an element, whose two levels are quantiles of the group that shares them (the codec of
/// "From 16-Bit to 1-Bit", Zhang et al. 2025).
///
/// A group of keys is one element over the rows of a page, one of values 32 neighbouring elements of a row: its two
/// levels are the quarters of its elements by size, which outliers do not move, where evenly spaced levels would be its
/// lowest and highest element. The paper marks the tokens of pictures; here a scorer marks the rows
/// (``KVPolicy/codesRest``), all others stay exact.
public struct OneBit: KVCoder, KVPageEncoder {
    /// True if levels are quantiles; false takes the ends of each group, as plain codes of one bit do.
    public var quantiles: Bool
    /// Elements of a row's values that share levels.
    public var group: Int

    /// By default levels by quantiles, and groups of 32.
    public init(quantiles: Bool = true, group: Int = 32) { (self.quantiles, self.group) = (quantiles, group) }

    /// The same for all heads.
    public func encoder(_ rows: KVRows) -> any KVPageEncoder { self }

    /// Elements become one of their group's two levels.
    public func code(_ page: inout KVCodedPage, below: () -> [KVCodedPage]) -> Int {
        var bytes = 0
        func round(_ rows: [[Float]], group: Int) -> [[Float]] {
            rows.map { row in
                stride(from: 0, to: row.count, by: group).flatMap { start -> [Float] in
                    let part = Array(row[start..<min(row.count, start + group)])
                    bytes += EvenLevels.bytes(part.count, bits: 1)
                    return quantiles ? Self.halves(part) : EvenLevels.round(part, bits: 1)
                }
            }
        }
        page.keys = round(page.keys.transposed, group: page.keys.count).transposed
        page.values = round(page.values, group: group)
        return bytes
    }

    /// Each number as the middle of the half that it is in, by order: the lower, or the upper.
    static func halves(_ group: [Float]) -> [Float] {
        let order = group.indices.sorted { (group[$0], $0) < (group[$1], $1) }
        var result = group
        for half in [order.prefix(group.count / 2), order.dropFirst(group.count / 2)] where !half.isEmpty {
            let middle = half.startIndex + half.count / 2
            let level = (group[order[middle - (half.count > 1 ? 1 : 0)]] + group[order[middle]]) / 2
            for i in half { result[i] = Float(Float16(level)) }
        }
        return result
    }
}
