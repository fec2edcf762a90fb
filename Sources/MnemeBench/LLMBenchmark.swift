import Foundation
public import MnemeEngine
import MnemeKV
import MnemeModels
import MnemeNumerics

/// Speed of a language model on this machine: prompts (prefill) and answers (decode), by the
/// decoder alone: no memory, no sampling, no HTTP.
///
/// A prefill is compared with the measured peak of 8-bit products, decode with the measured memory
/// bandwidth, as one is bound by arithmetic and the other by reading the weights.
public struct LLMBenchmark: Sendable {
    /// One measurement.
    public struct Row: Sendable, Codable {
        /// `prefill` or `decode`.
        public var kind: String
        /// Tokens of the prompt, or before the answer.
        public var tokens: Int
        /// Sequences at once.
        public var sequences: Int
        /// Of all sequences together; the best of the repetitions.
        public var tokensPerSecond: Double
        /// Decode: bytes of weights read, over the measured bandwidth. Prefill: multiply-adds, over
        /// the measured int8 peak.
        public var share: Double?
    }

    /// The measurements, and the machine.
    public struct Report: Sendable, Codable {
        /// The model.
        public var model: String
        /// Threads used.
        public var threads: Int
        /// Instruction sets in use.
        public var features: [String]
        /// Packed weights.
        public var weightBytes: Int
        /// The process's peak.
        public var peakBytes: Int
        /// Reading speed of memory, measured.
        public var bandwidth: Double
        /// The measurements.
        public var rows: [Row]
    }

    /// - Parameters:
    ///     - prompts: lengths of prompts.
    ///     - repetitions: of each measurement.
    public static func run(
        _ model: LanguageModel, prompts: [Int], sequences: [Int], answer: Int, repetitions: Int
    )
        throws -> Report
    {
        let decoder = model.decoder
        let c = decoder.configuration
        let clock = ContinuousClock()
        let logits = UnsafeMutablePointer<Float>.allocate(
            capacity: decoder.stepLogits * c.vocabularySize)
        defer { logits.deallocate() }
        var rows: [Row] = []
        // A token's products: all but the prompt's last leave the last layer behind their queries,
        // keys and values.
        let projections = c.hiddenSize * (c.heads * c.headDimension + 2 * c.kvSize)
        let rest = c.hiddenSize * c.heads * c.headDimension + 3 * c.hiddenSize * c.intermediateSize
        let parameters = Double(c.layers * projections + (c.layers - 1) * rest)
        // Prefill: the prompt in steps as the scheduler cuts it, logits for its last token only.
        for length in prompts {
            // Views do not keep their memory.
            let cache = try KVBuffer(c, positions: length)
            defer { withExtendedLifetime(cache) {} }
            let tokens = (0..<length).map { Int32($0 * 7 % c.vocabularySize) }
            var best = Double.infinity
            for _ in 0..<repetitions + 1 {
                let start = clock.now
                var done = 0
                while done < length {
                    let count = min(decoder.stepTokens, length - done)
                    let segment = DecoderSegment(
                        tokens: 0..<count, position: done, view: cache.view,
                        logits: done + count == length ? 1 : 0)
                    tokens.withUnsafeBufferPointer { tokens in
                        withUnsafePointer(to: segment) {
                            decoder.step(
                                tokens: UnsafeBufferPointer(rebasing: tokens[done..<done + count]),
                                segments: UnsafeBufferPointer(start: $0, count: 1),
                                logits: logits)
                        }
                    }
                    done += count
                }
                best = min(best, (clock.now - start) / .seconds(1))
            }
            rows.append(
                Row(
                    kind: "prefill", tokens: length, sequences: 1,
                    tokensPerSecond: Double(length) / best))
        }
        // Decode: one token of each sequence a step, so that the weights are read once for all.
        for count in sequences where count <= min(decoder.stepLogits, decoder.stepTokens) {
            let caches = try (0..<count).map { _ in try KVBuffer(c, positions: answer) }
            defer { withExtendedLifetime(caches) {} }
            var tokens = [Int32](repeating: 0, count: count)
            var best = Double.infinity
            var segments = caches.enumerated().map {
                DecoderSegment(tokens: $0..<$0 + 1, position: 0, view: $1.view, logits: 1)
            }
            for _ in 0..<repetitions {
                let start = clock.now
                for position in 0..<answer {
                    for i in 0..<count {
                        tokens[i] = Int32((position * 31 + i) % c.vocabularySize)
                        segments[i].position = position
                    }
                    tokens.withUnsafeBufferPointer { tokens in
                        segments.withUnsafeBufferPointer {
                            decoder.step(tokens: tokens, segments: $0, logits: logits)
                        }
                    }
                }
                best = min(best, (clock.now - start) / .seconds(1))
            }
            rows.append(
                Row(
                    kind: "decode", tokens: 0, sequences: count,
                    tokensPerSecond: Double(answer * count) / best))
        }
        let peakBytes = ProcessMemory.bytes("VmHWM")
        let pool = ThreadPool(threads: decoder.threadCount)
        // Measured afterwards, with the threads warm.
        let bandwidth = measuredBandwidth(pool: pool)
        let peak = measuredPeak(.int8, pool: pool)
        for i in rows.indices {
            let rate = rows[i].tokensPerSecond
            rows[i].share =
                rows[i].kind == "prefill"
                ? peak.map { 2 * parameters * rate / $0 }
                : Double(decoder.weightBytes) * rate / Double(rows[i].sequences) / bandwidth
        }
        return Report(
            model: model.name, threads: decoder.threadCount,
            features: ProcessorFeatures.current.names,
            weightBytes: decoder.weightBytes,
            peakBytes: peakBytes, bandwidth: bandwidth, rows: rows)
    }
}
