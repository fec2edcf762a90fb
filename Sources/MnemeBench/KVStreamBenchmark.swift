import Foundation
public import MnemeEngine
import MnemeKV
import MnemeModels

/// A stream that goes on past the model's context: perplexity window by window, and the bytes that
/// keys and values take meanwhile (StreamingLLM, Xiao et al. 2024).
public struct KVStreamBenchmark: Sendable {
    /// A stream's length and what is kept of it.
    public struct Settings: Sendable {
        /// One of ``MnemeKV/PolicyCatalog/names`` that evicts all the time.
        public var policy = "streamingllm"
        /// Rows that a head keeps on average.
        public var budget = 1024
        /// Tokens of the stream, and of a line of the table.
        public var tokens = 32_768, window = 4096
        /// Of so many tokens the last is predicted and counted: logits cost more than the rest.
        public var every = 8

        /// The usual.
        public init() {}
    }

    /// What was measured of a window.
    public struct Window: Sendable, Codable {
        /// Tokens of the stream so far.
        public var tokens: Int
        /// exp of the mean negative log-likelihood of the window's counted tokens.
        public var perplexity: Double
        /// Bytes of the rows that are kept, the most that there were so far, and rows of a head.
        public var bytes: Int, peakBytes: Int, rows: Double
        /// Tokens a second.
        public var tokensPerSecond: Double
    }

    /// Streams a text, from its beginning again where it ends.
    ///
    /// - Parameters:
    ///   - model: any whose layers have no sliding windows, if the policy moves rows together.
    ///   - text: tokens, two at least.
    ///   - settings: the stream.
    ///   - didMeasure: told of each window.
    /// - Throws: ``MnemeEngine/EngineError`` for settings that make no sense, ``MnemeKV/KVError``,
    ///   `CancellationError`.
    public static func run(
        _ model: LanguageModel, text: [Int32], settings: Settings, _ didMeasure: (Window) -> Void
    ) throws {
        let policy = try PolicyCatalog.policy(
            settings.policy, for: model.decoder, sample: [], budget: settings.budget)
        guard case .every(let slack) = policy.trigger else {
            throw EngineError(
                .invalidRequest,
                "\(settings.policy.prefix(40)) evicts behind a prompt alone. A stream needs a policy that evicts all the time: streamingllm, window or h2o."
            )
        }
        guard text.count > 1, settings.budget > 0, settings.tokens > 0, settings.every > 0,
            settings.window >= settings.every,
            policy.movesTogether || settings.tokens < model.decoder.configuration.contextLength
        else {
            throw EngineError(
                .invalidRequest,
                "A stream needs a text, and counts above zero; past the model's context only streamingllm goes on."
            )
        }
        let every = min(settings.every, slack, KVShape.blockTokens)
        let cache = try CompressedCache(
            model.decoder, policy, budget: settings.budget,
            positions: settings.budget + 2 * slack + 2 * KVShape.blockTokens)
        var logits = [Float](repeating: 0, count: model.decoder.configuration.vocabularySize)
        var (loss, counted, begun) = (0.0, 0, ContinuousClock.now)
        var done = 0
        while done < settings.tokens {
            try Task.checkCancellation()
            let part = (done..<done + every).map { text[$0 % text.count] }
            try logits.withUnsafeMutableBufferPointer {
                try cache.feed(part, endsPrompt: false, logits: $0.baseAddress!)
            }
            done += every
            loss -= logProbability(of: text[done % text.count], logits)
            counted += 1
            guard done / settings.window > (done - every) / settings.window else { continue }
            let seconds = (ContinuousClock.now - begun) / .seconds(1)
            didMeasure(
                Window(
                    tokens: done, perplexity: exp(loss / Double(counted)), bytes: cache.bytes,
                    peakBytes: cache.peakBytes, rows: cache.rowsPerHead,
                    tokensPerSecond: Double(counted * every) / seconds))
            (loss, counted, begun) = (0, 0, ContinuousClock.now)
        }
    }

    private static func logProbability(of token: Int32, _ logits: [Float]) -> Double {
        let top = logits.max() ?? 0
        let total = logits.reduce(0.0) { $0 + exp(Double($1 - top)) }
        return Double(logits[Int(token)] - top) - log(total)
    }
}
