import Foundation
import Mneme
import MnemeBase
import MnemeEmbedding
import MnemeModels
import MnemeNumerics

/// Speed of the embedding model, by precision and batch size, and how near that is to what the
/// machine can multiply.
///
/// Tokenizing is part of the time, as it is of a user's. `scripts/peers/embed_peers.py` measures
/// other libraries on the same texts.
public enum EmbedBenchmark {
    /// One precision at one batch size.
    public struct Row: Sendable, Codable {
        /// The precision of the weights.
        public var precision: String
        /// Texts a call.
        public var batch: Int
        /// Throughput.
        public var textsPerSecond: Double
        /// The median time of one call.
        public var medianMilliseconds: Double
        /// Arithmetic of the matrix products and attention, multiply and add counted as two.
        public var gigaflops: Double
        /// Of the measured multiply-add rate of this precision's instruction.
        public var shareOfPeak: Double?
    }

    /// The measurements, and the machine.
    public struct Report: Sendable, Codable {
        /// The number of texts that were embedded.
        public var texts: Int
        /// Mean length of a text.
        public var meanTokens: Double
        /// Threads used.
        public var threads: Int
        /// Instruction sets in use.
        public var features: [String]
        /// The measurements.
        public var rows: [Row]
    }

    /// Measures every precision at batches of 32 and 1; tokenising is part of the time.
    ///
    /// - Parameters:
    ///   - folder: the model's files.
    ///   - textsFile: a text a line, 32 at least; made-up sentences if nil.
    ///   - threads: of the pool that all measurements share.
    ///   - seconds: for each measurement, after three batches that are not counted.
    /// - Throws: `InputError` for a file that cannot be read or is too short, `ModelError`.
    public static func run(folder: String, textsFile: String?, threads: Int, seconds: Double) throws
        -> Report
    {
        var texts = Self.sample
        if let textsFile {
            guard let content = try? String(contentsOfFile: textsFile, encoding: .utf8) else {
                throw InputError("\(textsFile) cannot be read.")
            }
            texts = content.split(separator: "\n").map(String.init).filter {
                $0.contains { !$0.isWhitespace }
            }
        }
        guard texts.count >= 32 else { throw InputError("At least 32 texts are needed.") }
        // One pool for all precisions, so that they meet the same threads.
        let pool = ThreadPool(threads: threads)
        var report = Report(
            texts: texts.count, meanTokens: 0, threads: pool.threadCount,
            features: ProcessorFeatures.current.names,
            rows: [])
        for precision in Precision.allCases {
            let encoder = try BertEncoder(folder: folder, precision: precision, pool: pool)
            let counts = texts.map { min(encoder.maximumTokens, encoder.tokenCount($0)) }
            report.meanTokens = Double(counts.reduce(0, +)) / Double(counts.count)
            // Measured right before, as clocks change with the load.
            let peak = measuredPeak(precision, pool: pool)
            for batch in [32, 1] {
                let batches = stride(from: 0, to: texts.count - batch + 1, by: batch).map {
                    $0..<$0 + batch
                }
                // Warms caches and threads; not counted.
                for range in batches.prefix(3) { _ = try encoder.embed(Array(texts[range])) }
                let clock = ContinuousClock()
                let start = clock.now
                var times: [Double] = []
                var operations = 0.0
                var index = 0
                while (clock.now - start) / .seconds(1) < seconds {
                    let range = batches[index % batches.count]
                    let began = clock.now
                    _ = try encoder.embed(Array(texts[range]))
                    times.append((clock.now - began) / .seconds(1))
                    operations += range.reduce(0) {
                        $0 + flops(encoder.configuration, tokens: counts[$1])
                    }
                    index += 1
                }
                let median = times.sorted().percentile(50)
                let total = times.reduce(0, +)
                report.rows.append(
                    Row(
                        precision: precision.rawValue, batch: batch,
                        textsPerSecond: Double(batch * times.count) / total,
                        medianMilliseconds: median * 1000,
                        gigaflops: operations / total / 1e9,
                        shareOfPeak: peak.map { operations / total / $0 }))
            }
        }
        return report
    }

    /// Floating-point operations of one text: the projections and feed-forward products of each
    /// layer, and attention's two products. Norms and softmax are left out, as peers do.
    private static func flops(_ c: BertConfiguration, tokens: Int) -> Double {
        let h = Double(c.hiddenSize)
        let w = Double(c.intermediateSize)
        let n = Double(tokens)
        return Double(c.layers) * (2 * n * (4 * h * h + 2 * h * w) + 4 * n * n * h)
    }

    /// Sentences of mixed length, when no file is given.
    private static let sample: [String] = (0..<256).map { i in
        let parts = [
            "I moved to a small town near the coast last spring.",
            "We talked about the new printer and its endless paper jams.",
            "My sister is training for a half marathon in October.",
            "Could you remind me where the spare keys are?",
            "The chemistry exam went better than I had feared.",
            "He sold his guitar to pay for the trip to Porto.",
        ]
        return (0...(i % 5)).map { parts[(i + $0) % parts.count] }.joined(separator: " ")
    }
}
