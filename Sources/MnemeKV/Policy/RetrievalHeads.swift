import Foundation
public import MnemeModels
import MnemeNumerics

/// Lets heads that look far back keep all rows, and the others the first and the last ones
/// (RazorAttention, Tang et al. 2025; DuoAttention, Xiao et al. 2025).
///
/// As many of the strongest retrieval heads keep all as the budget allows; what is left over is
/// shared by the others.
public struct RetrievalHeads: BudgetAllocator {
    /// The strength of each head, by layers: how much it looks back at what was repeated, see
    /// ``strengths(_:tokens:)``.
    public var strengths: [[Float]]
    /// The least that the other heads keep, in rows.
    public var least: Int

    /// A split by given strengths, as ``strengths(_:tokens:)`` measures them.
    public init(strengths: [[Float]], least: Int = 64) {
        self.strengths = strengths
        self.least = least
    }

    /// All rows for the strongest heads, the rest of the budget in equal parts for the others.
    public func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] {
        let whole = lengths.joined().max() ?? 0
        let least = min(least, budget)
        let order = strengths.enumerated().flatMap { layer, heads in
            heads.indices.map { (layer, $0) }
        }
        .sorted { strengths[$0.0][$0.1] > strengths[$1.0][$1.1] }
        let extra = (budget - least) * order.count
        let full = whole > least ? min(order.count, extra / (whole - least)) : order.count
        let spare = full < order.count ? (extra - full * (whole - least)) / (order.count - full) : 0
        var result = lengths.map { $0.map { _ in least + spare } }
        for (layer, head) in order.prefix(full) { result[layer][head] = whole }
        return result
    }

    /// Measures heads on tokens that make no sense, twice: an echo head looks at the same token
    /// before, an induction head at what followed it.
    ///
    /// - Complexity: `tokens` steps of one token.
    /// - Throws: ``KVError`` without memory.
    public static func strengths(_ decoder: TransformerDecoder, tokens count: Int = 192) throws
        -> [[Float]]
    {
        let c = decoder.configuration
        let buffer = try KVBuffer(c, positions: 2 * count)
        defer { withExtendedLifetime(buffer) {} }
        var seed: UInt64 = 42
        let tokens = (0..<count).map { _ in
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int32(truncatingIfNeeded: (seed >> 33) % UInt64(c.vocabularySize))
        }
        let logits = AlignedBuffer<Float>(c.vocabularySize)
        let accumulatedAttention = AlignedBuffer<Float>(c.layers * c.kvHeads * 2 * count)
        func step(_ part: ArraySlice<Int32>, at position: Int, _ observation: KVObservation?) {
            let segment = DecoderSegment(
                tokens: 0..<part.count, position: position, view: buffer.view, logits: 0,
                observation: observation)
            part.withUnsafeBufferPointer { tokens in
                withUnsafePointer(to: segment) {
                    decoder.step(
                        tokens: tokens, segments: UnsafeBufferPointer(start: $0, count: 1),
                        logits: logits.pointer)
                }
            }
        }
        for start in stride(from: 0, to: count, by: decoder.stepTokens) {
            step(tokens[start..<min(count, start + decoder.stepTokens)], at: start, nil)
        }
        var result = [[Float]](repeating: [Float](repeating: 0, count: c.kvHeads), count: c.layers)
        for i in 0..<count - 1 {
            accumulatedAttention.pointer.update(repeating: 0, count: accumulatedAttention.count)
            step(
                tokens[i...i], at: count + i,
                KVObservation(accumulatedAttention: accumulatedAttention.pointer, stride: 2 * count, tokens: 1))
            for layer in 0..<c.layers {
                for head in 0..<c.kvHeads {
                    let row = accumulatedAttention.pointer + (layer * c.kvHeads + head) * 2 * count
                    result[layer][head] +=
                        (row[i] + row[i + 1]) / Float(count * c.heads / c.kvHeads)
                }
            }
        }
        return result
    }
}

/// Merges evicted rows into one that stands for all of them (RazorAttention's compensation token,
/// Tang et al. 2025): the mean of their keys and values, whose score is raised by the logarithm of
/// the merge count.
///
/// It takes the place of the first row behind the gap, which is part of it.
public struct CompensationToken: Disposer {
    /// A policy part without settings.
    public init() {}

    /// The one row that takes all evicted ones in; none if nothing is evicted.
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] {
        let behindGap = kept.enumerated().first { $0 != $1 }?.element ?? kept.last
        // One row of a head stands for many: it stays the one as long as it is kept.
        guard !lost.isEmpty,
            let mergedRow = kept.first(where: { rows.weight($0) > 1 }) ?? behindGap
        else {
            return []
        }
        var change = KVChange(
            row: mergedRow, key: [Float](repeating: 0, count: rows.dimension),
            value: [Float](repeating: 0, count: rows.dimension), mergeCount: 0)
        for row in lost + [mergedRow] {
            let weight = rows.weight(row)
            let key = rows.key(row)
            let value = rows.value(row)
            for i in 0..<rows.dimension {
                change.key[i] += weight * key[i]
                change.value[i] += weight * value[i]
            }
            change.mergeCount += weight
        }
        for i in 0..<rows.dimension {
            change.key[i] /= change.mergeCount
            change.value[i] /= change.mergeCount
        }
        return [change]
    }
}
