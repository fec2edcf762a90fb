import Foundation
import MnemeKV
import MnemeModels

/// The perplexity of a text under a model: exp of the mean −ln p of its tokens. It shows what
/// quantization, a KV policy or another kernel costs, as a number that is comparable between
/// programs.
///
/// As llama.cpp measures it: the text is cut into windows of `context` tokens, each begins anew,
/// and the second half of each window counts.
public enum Perplexity {
    /// A measurement.
    public struct Result: Sendable, Codable {
        /// exp of the mean negative log-likelihood.
        public var perplexity: Double
        /// Tokens that counted.
        public var tokens: Int
        /// Windows.
        public var windows: Int
    }

    /// Measures the perplexity of a text.
    ///
    /// - Parameters:
    ///   - model: the model that is measured.
    ///   - context: tokens that are scored together.
    ///   - tokens: at least one window of `context`.
    ///   - limit: windows at most; nil for all.
    ///   - progress: called with windows done, windows in all, and the perplexity so far.
    /// - Throws: ``EngineError`` if the text is shorter than a window, `CancellationError`.
    /// - Complexity: a prefill of each window, with logits for all of its tokens.
    public static func measure(
        _ model: LanguageModel, tokens: [Int32], context: Int = 512, limit: Int? = nil,
        progress: (Int, Int, Double) -> Void = { _, _, _ in }
    ) throws -> Result {
        let windows = min(tokens.count / context, limit ?? .max)
        let decoder = model.decoder
        let size = decoder.configuration.vocabularySize
        guard windows > 0, context >= 2, context <= decoder.configuration.contextLength else {
            throw EngineError(
                .invalidRequest,
                "The text has \(tokens.count) tokens, less than one window of \(context), or the window exceeds the model's context."
            )
        }
        let buffer = try KVBuffer(decoder.configuration, positions: context)
        defer { withExtendedLifetime(buffer) {} }
        let batch = min(decoder.stepTokens, decoder.stepLogits)
        let logits = UnsafeMutablePointer<Float>.allocate(capacity: batch * size)
        defer { logits.deallocate() }
        var sum = 0.0
        var counted = 0
        for window in 0..<windows {
            try Task.checkCancellation()
            var part = Array(tokens[window * context..<(window + 1) * context])
            if let begin = model.tokenizer.beginToken { part[0] = begin }
            var start = 0
            while start < context {
                let end = min(start + batch, context)
                part.withUnsafeBufferPointer { part in
                    let segment = DecoderSegment(
                        tokens: 0..<end - start, position: start, view: buffer.view,
                        logits: end - start)
                    withUnsafePointer(to: segment) {
                        decoder.step(
                            tokens: UnsafeBufferPointer(rebasing: part[start..<end]),
                            segments: UnsafeBufferPointer(start: $0, count: 1), logits: logits)
                    }
                }
                for i in start..<end where i >= context / 2 && i < context - 1 {
                    let row = UnsafeBufferPointer(start: logits + (i - start) * size, count: size)
                    let top = Double(row.max()!)
                    let total = row.reduce(0) { $0 + exp(Double($1) - top) }
                    sum -= Double(row[Int(part[i + 1])]) - top - log(total)
                    counted += 1
                }
                start = end
            }
            progress(window + 1, windows, exp(sum / Double(counted)))
        }
        return Result(perplexity: exp(sum / Double(counted)), tokens: counted, windows: windows)
    }
}
