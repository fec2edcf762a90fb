import Foundation
public import MnemeEngine
import MnemeKV
import MnemeModels

/// What it costs to keep all keys and values on disk but two groups of heads (HeadInfer, Luo et al.
/// 2025), beside a run that has all of them in memory.
public struct HeadwiseBenchmark {
    /// One run.
    public struct Row: Sendable, Codable {
        /// Key-value heads of a group; 0 for the run that has all in memory.
        public var groupHeads: Int
        /// The most keys and values in memory as the system counts them, and by the formula.
        public var residentBytes: Int, formulaBytes: Int
        /// Bytes that came from the file for each token behind the prompt.
        public var readBytesPerToken: Int
        /// The share of reading and writing that steps did not wait for.
        public var overlapped: Double
        /// Prompt tokens a second, and tokens behind them.
        public var prefill: Double, decode: Double
        /// Whether the logits behind the prompt and each token are the bits of the first row.
        public var isEqual: Bool
    }

    /// - Parameters:
    ///   - model: whose decoder computes.
    ///   - tokens: of the prompt.
    ///   - tail: tokens behind it, one by one.
    ///   - groups: numbers of heads, a row each.
    /// - Returns: all in memory first.
    /// - Throws: ``MnemeKV/KVError`` without memory or disk.
    public static func run(_ model: LanguageModel, tokens: Int, tail: Int, groups: [Int]) throws -> [Row] {
        let decoder = model.decoder
        let c = decoder.configuration
        let size = c.vocabularySize
        let prompt = (0..<tokens).map { Int32($0 * 7919 % size) }
        let clock = ContinuousClock()
        /// Logits behind the prompt and each token, and tokens a second.
        func measure(
            _ feed: ([Int32], UnsafeMutablePointer<Float>) throws -> Void, behindPrompt: () -> Void = {}
        ) throws -> (bits: [UInt32], prefill: Double, decode: Double) {
            var logits = [Float](repeating: 0, count: size)
            var bits: [UInt32] = []
            let start = clock.now
            try logits.withUnsafeMutableBufferPointer { try feed(prompt, $0.baseAddress!) }
            bits += logits.map(\.bitPattern)
            let middle = clock.now
            behindPrompt()
            for i in 0..<tail {
                try logits.withUnsafeMutableBufferPointer {
                    try feed([Int32(i * 31 % size)], $0.baseAddress!)
                }
                bits += logits.map(\.bitPattern)
            }
            return (
                bits, Double(tokens) / ((middle - start) / .seconds(1)),
                Double(tail) / ((clock.now - middle) / .seconds(1))
            )
        }
        let buffer = try KVBuffer(c, positions: tokens + tail)
        var position = 0
        let all = try measure { tokens, logits in
            for start in stride(from: 0, to: tokens.count, by: decoder.stepTokens) {
                let part = tokens[start..<min(tokens.count, start + decoder.stepTokens)]
                part.withUnsafeBufferPointer { part in
                    let segment = DecoderSegment(
                        tokens: 0..<part.count, position: position, view: buffer.view, logits: 1)
                    withUnsafePointer(to: segment) {
                        decoder.step(
                            tokens: part, segments: UnsafeBufferPointer(start: $0, count: 1), logits: logits)
                    }
                }
                position += part.count
            }
        }
        let whole = KVShape.blocks(tokens + tail) * KVShape(c).blockBytes
        var rows = [
            Row(
                groupHeads: 0, residentBytes: whole, formulaBytes: whole, readBytesPerToken: 0, overlapped: 0,
                prefill: all.prefill, decode: all.decode, isEqual: true)
        ]
        for group in groups {
            let cache = try HeadwiseCache(decoder, groupHeads: group, positions: tokens + tail)
            var before = 0
            let run = try measure({ try cache.feed($0, logits: $1) }) { before = cache.transferred.read }
            let seconds = max(1e-9, cache.transferSeconds)
            rows.append(
                Row(
                    groupHeads: cache.groupHeads, residentBytes: cache.residentBytes,
                    formulaBytes: HeadwiseCache.residentBytes(c, groupHeads: group, tokens: cache.count),
                    readBytesPerToken: (cache.transferred.read - before) / max(1, tail),
                    overlapped: max(0, 1 - cache.waitedSeconds / seconds), prefill: run.prefill,
                    decode: run.decode, isEqual: run.bits == all.bits))
        }
        return rows
    }
}
