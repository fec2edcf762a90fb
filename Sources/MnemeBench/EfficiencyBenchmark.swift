import Foundation
public import MnemeEngine
import MnemeModels

/// EfficientLLM's six metrics (Yuan et al. 2025) of models on this machine: use of memory and of compute,
/// latency, throughput, energy and compression. Each model is a variant; files of one model in several types of
/// weights are the paper's quantisation, models of several kinds of attention its architectures.
///
/// Measured as ``LLMBenchmark`` measures: the decoder alone.
public struct EfficiencyBenchmark: Sendable {
    /// The metrics of one variant.
    public struct Row: Sendable, Codable {
        /// The model, and its attention: MHA, GQA or MQA, with heads of queries and of keys.
        public var model: String, attention: String
        /// Memory utilisation: the process's peak of the machine's memory. A peak is of all variants so far:
        /// only the first one's is its own.
        public var memoryUtilisation: Double
        /// Bytes of the weights.
        public var weightBytes: Int
        /// Compute utilisation: a prompt's products of the measured int8 peak; nil without AVX-512 or AMX.
        public var computeUtilisation: Double?
        /// Latency: milliseconds of a prompt of 512 tokens, and of a token of an answer.
        public var promptMilliseconds: Double, tokenMilliseconds: Double
        /// Throughput: tokens a second of prompts, of one answer, and of eight at once.
        public var promptThroughput: Double, throughput: Double, batchThroughput: Double?
        /// Energy: watts of the processor meanwhile, and joules a token; nil where there is no counter.
        public var watts: Double?, joulesPerToken: Double?
        /// Compression: bytes of the weights as 16-bit numbers, over their bytes here.
        public var compression: Double
    }

    /// Tokens of the prompt, and of an answer.
    private static let prompt = 512, answer = 64

    /// Measures one variant.
    ///
    /// - Throws: `KVError` if there is no memory.
    public static func run(_ model: LanguageModel, repetitions: Int = 2) throws -> Row {
        let meter = EnergyMeter()
        let start = ContinuousClock.now
        let report = try LLMBenchmark.run(
            model, prompts: [prompt], sequences: [1, 8], answer: answer, repetitions: repetitions)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let joules = meter?.joules
        let prefill = report.rows.first { $0.kind == "prefill" }
        func decoded(_ sequences: Int) -> Double? {
            report.rows.first { $0.kind == "decode" && $0.sequences == sequences }?.tokensPerSecond
        }
        let c = model.decoder.configuration
        let layer =
            2 * c.hiddenSize * (c.heads * c.headDimension + c.kvSize) + 3 * c.hiddenSize * c.intermediateSize
        let weights = Double(c.layers * layer + c.vocabularySize * c.hiddenSize)
        let kvHeads = c.kvHeads
        let kind = kvHeads == c.heads ? "MHA" : kvHeads == 1 ? "MQA" : "GQA"
        let rate = decoded(1) ?? 0
        let tokens = Double((repetitions + 1) * prompt + repetitions * answer * 9)
        return Row(
            model: report.model, attention: "\(kind) \(c.heads):\(kvHeads)",
            memoryUtilisation: Double(report.peakBytes) / Double(ProcessInfo.processInfo.physicalMemory),
            weightBytes: report.weightBytes, computeUtilisation: prefill?.share,
            promptMilliseconds: Double(prompt) / (prefill?.tokensPerSecond ?? .infinity) * 1000,
            tokenMilliseconds: 1000 / max(rate, 1e-9), promptThroughput: prefill?.tokensPerSecond ?? 0,
            throughput: rate, batchThroughput: decoded(8), watts: joules.map { $0 / seconds },
            joulesPerToken: joules.map { $0 / tokens }, compression: 2 * weights / Double(report.weightBytes))
    }

    /// Rows as Markdown, which reads as plain text, too.
    public static func markdown(_ rows: [Row]) -> String {
        var lines = [
            "| model | attention | memory | weights MiB | compute | prompt ms | token ms | prompt tok/s | tok/s | 8 at once "
                + "| W | J/token | compression |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        func text(_ value: Double?, _ format: String) -> String { value.map { String(format: format, $0) } ?? "–" }
        lines += rows.map { row in
            [
                "| \(row.model)", row.attention, text(row.memoryUtilisation * 100, "%.1f %%"),
                text(Double(row.weightBytes) / 1_048_576, "%.0f"),
                text(row.computeUtilisation.map { $0 * 100 }, "%.0f %%"),
                text(row.promptMilliseconds, "%.0f"), text(row.tokenMilliseconds, "%.1f"),
                text(row.promptThroughput, "%.0f"), text(row.throughput, "%.1f"), text(row.batchThroughput, "%.1f"),
                text(row.watts, "%.1f"), text(row.joulesPerToken, "%.3f"), text(row.compression, "%.2f") + " |",
            ].joined(separator: " | ")
        }
        return lines.joined(separator: "\n")
    }
}
