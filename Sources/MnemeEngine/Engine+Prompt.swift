import Dispatch
import MnemeKV
import MnemeModels
import NIOConcurrencyHelpers

/// A prompt's token, and how likely the model found it behind those before it.
public struct PromptToken: Sendable {
    /// The token.
    public let id: Int32
    /// ln p; nil for the first, which nothing stands before.
    public let logProbability: Double?
    /// The likeliest tokens at its place.
    public let alternatives: [TokenProbability]
}

/// Log-probabilities of prompts.
extension Engine {
    /// Tokens of a prompt whose probabilities can be asked for, at most: all of them are computed
    /// anew, with keys and values in memory beside the cache.
    public static let maximumScoredTokens = 8192
    /// Prompts that wait for theirs; more are refused.
    private static let maximumScoring = 16

    /// The log-probabilities of a prompt's tokens by the model's own distribution.
    ///
    /// One prompt is computed at a time, in turns with the steps of answers.
    ///
    /// - Parameters:
    ///   - prompt: token ids, ``maximumScoredTokens`` at most.
    ///   - first: the token to begin with; those before it are read and not told.
    ///   - alternatives: how many of the likeliest tokens are told at each place, 0 to 20.
    ///   - adapter: the adapter that they are computed with; nil for the model as it is. Tokens of the procedure
    ///     that an answer would follow stand before `first`, unless that is one of the first two.
    /// - Returns: the tokens from `first` on.
    /// - Throws: ``EngineError`` for prompts that the model cannot take, and if too many wait;
    ///   `KVError` if there is no memory; `CancellationError`.
    /// - Complexity: a prefill with logits for each token from `first` on.
    public func probabilities(
        of prompt: [Int32], from first: Int = 0, alternatives: Int, adapter: String? = nil
    ) async throws -> [PromptToken] {
        try check(prompt: prompt, alternatives: alternatives)
        guard prompt.indices.contains(first) else {
            throw EngineError(.invalidRequest, "What is scored of a prompt stands in it.")
        }
        guard prompt.count <= Self.maximumScoredTokens else {
            throw EngineError.tooLong(
                prompt.count, of: Self.maximumScoredTokens,
                "Log-probabilities of longer prompts are not computed.")
        }
        let adapter = try self.adapter(adapter)
        try shared.withLockedValue { shared in
            guard !shared.closed else { throw EngineError(.closed, "The engine is shut down.") }
            guard shared.scoring < Self.maximumScoring else {
                throw EngineError(.overloaded, "Too many requests wait already. Try again later.")
            }
            shared.scoring += 1
        }
        let isCancelled = NIOLockedValueBox(false)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                scoring.async { [self] in
                    let result = Result {
                        try score(prompt, first, alternatives, adapter) { isCancelled.withLockedValue { $0 } }
                    }
                    shared.withLockedValue { $0.scoring -= 1 }
                    continuation.resume(with: result)
                }
            }
        } onCancel: {
            isCancelled.withLockedValue { $0 = true }
        }
    }

    /// Computes a prompt step by step.
    ///
    /// - Parameter isCancelled: asked before each step.
    private func score(
        _ text: [Int32], _ from: Int, _ alternatives: Int, _ adapter: LoadedAdapter?,
        isCancelled: () -> Bool
    ) throws -> [PromptToken] {
        var (prompt, first) = (text, from)
        let size = decoder.configuration.vocabularySize
        let batch = min(decoder.stepTokens, decoder.stepLogits)
        var result: [PromptToken] = []
        result.reserveCapacity(prompt.count - first)
        if first == 0 {
            result.append(PromptToken(id: prompt[0], logProbability: nil, alternatives: []))
        }
        let procedures = first < 2 ? nil : adapter?.weights.procedures
        let scores = procedures.map { _ in ScoreRoom(tokens: decoder.stepLogits) }
        defer { scores?.deallocate() }
        let buffer = try KVBuffer(
            decoder.configuration, positions: prompt.count + (procedures?.tokensEach ?? 0))
        defer { withExtendedLifetime(buffer) {} }
        let logits = UnsafeMutableBufferPointer<Float>.allocate(capacity: batch * size)
        defer { logits.deallocate() }
        /// The next step, unless nobody waits for it any more.
        func step(_ range: Range<Int>, rows: Int) throws {
            guard !isCancelled() else { throw CancellationError() }
            guard !shared.withLockedValue({ $0.closed }) else {
                throw EngineError(.closed, "The engine is shut down.")
            }
            compute(
                prompt[range], at: range.lowerBound, rows: rows, buffer.view, adapter, logits, scores?.scores)
        }
        func steps(_ range: Range<Int>) throws {
            for start in stride(from: range.lowerBound, to: range.upperBound, by: decoder.stepTokens) {
                try step(start..<min(start + decoder.stepTokens, range.upperBound), rows: 0)
            }
        }
        var computed = 0
        if let scores, let procedures {
            try steps(0..<first - 1)
            try step(first - 1..<first, rows: 1)
            let run = scores.scores.best(row: 0, of: procedures).map { procedures.tokens(of: $0.procedure) } ?? []
            prompt.insert(contentsOf: run, at: first)
            computed = run.isEmpty ? first - 1 : first
            first += run.count
        }
        // The token before the first tells how likely that is.
        let begin = max(first, 1) - 1
        try steps(computed..<begin)
        // Behind the last token nothing is asked.
        for start in stride(from: begin, to: prompt.count - 1, by: batch) {
            let end = min(start + batch, prompt.count - 1)
            try step(start..<end, rows: end - start)
            for i in start..<end {
                let row = UnsafeMutableBufferPointer(
                    rebasing: logits[(i - start) * size..<(i - start + 1) * size])
                let (own, others) = Sampler.logProbabilities(
                    row, token: prompt[i + 1], count: alternatives)
                result.append(
                    PromptToken(id: prompt[i + 1], logProbability: own, alternatives: others))
            }
        }
        return result
    }

    /// One step, with logits for its last `rows` tokens.
    private func compute(
        _ tokens: ArraySlice<Int32>, at position: Int, rows: Int, _ view: KVView,
        _ adapter: LoadedAdapter?, _ logits: UnsafeMutableBufferPointer<Float>, _ scores: ProcedureScores?
    ) {
        guard let base = logits.baseAddress else { return }
        tokens.withUnsafeBufferPointer { tokens in
            var segment = DecoderSegment(
                tokens: 0..<tokens.count, position: position, view: view, logits: rows)
            segment.adapter = adapter?.weights
            withUnsafePointer(to: segment) {
                decoder.step(
                    tokens: tokens, segments: UnsafeBufferPointer(start: $0, count: 1), logits: base,
                    scores: scores)
            }
        }
    }
}
