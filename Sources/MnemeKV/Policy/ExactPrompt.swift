public import MnemeModels
import MnemeNumerics

/// A prompt computed with all of its rows, for caches that each take a part of them
/// (``CompressedCache/take(_:)``): the way of answers, which compute prompts exactly and let the
/// policy choose at their end.
///
/// Computed once for any number of policies: beside the rows it holds the attention that each of
/// them asks for. Not safe for use from several threads.
public final class ExactPrompt {
    /// The prompt's tokens.
    public let tokens: [Int32]
    /// The scores of the token that follows; `vocabularySize` floats.
    public let logits: [Float]
    let buffer: KVBuffer
    /// The weights of each kind that was asked for: of each head as many as there are tokens.
    let attention: [AttentionNeed: AlignedBuffer<Float>]
    /// The squares of these, summed likewise.
    let squares: [AttentionNeed: AlignedBuffer<Float>]
    /// The last tokens' queries, see ``MnemeModels/KVObservation/queries``.
    let queries: AlignedBuffer<Float>

    /// Computes a prompt.
    ///
    /// - Parameters:
    ///   - decoder: the model that computes it.
    ///   - tokens: token ids of the prompt, one at least.
    ///   - needs: of the scorers that will choose among its rows.
    /// - Throws: ``KVError`` without memory.
    /// - Complexity: a prefill; for each different window, its last tokens once more; if attention
    ///   of all tokens is asked for, a second pass over all keys.
    public init(_ decoder: TransformerDecoder, _ tokens: [Int32], needs: [AttentionNeed]) throws {
        let c = decoder.configuration
        let count = tokens.count
        precondition(count > 0, "A prompt has a token at least.")
        let buffer = try KVBuffer(c, positions: count)
        let scores = AlignedBuffer<Float>(c.vocabularySize)
        var attention: [AttentionNeed: AlignedBuffer<Float>] = [:]
        var squares = attention
        let queries = AlignedBuffer<Float>(c.layers * c.heads * KVObservation.queryTokens * c.headDimension)
        func compute(_ range: Range<Int>, _ need: AttentionNeed) {
            let sums = attention[need]
            var observation = KVObservation(
                accumulatedAttention: (sums ?? queries).pointer, stride: count, tokens: sums == nil ? 0 : range.count)
            observation.squares = squares[need]?.pointer
            observation.queries = queries.pointer
            let segment = DecoderSegment(
                tokens: 0..<range.count, position: range.lowerBound, view: buffer.view, logits: 1,
                observation: observation)
            decoder.step(segment, tokens[range], scores.pointer)
        }
        let kinds = needs.flatMap { need in
            (need.countsAll ? [AttentionNeed.all] : []) + (need.window.map { [.last($0)] } ?? [])
        }
        for need in Set(kinds) {
            // Zeros at first.
            attention[need] = AlignedBuffer(c.layers * c.kvHeads * count)
            squares[need] = AlignedBuffer(c.layers * c.kvHeads * count)
        }
        for start in stride(from: 0, to: count, by: decoder.stepTokens) {
            compute(start..<min(count, start + decoder.stepTokens), .all)
        }
        // The last tokens' rows are written again, with the same bits.
        for case .last(let window) in attention.keys {
            compute(count - min(window, count, decoder.stepTokens)..<count, .last(window))
        }
        self.tokens = tokens
        self.buffer = buffer
        self.attention = attention
        self.squares = squares
        self.queries = queries
        logits = Array(UnsafeBufferPointer(start: scores.pointer, count: c.vocabularySize))
    }
}
