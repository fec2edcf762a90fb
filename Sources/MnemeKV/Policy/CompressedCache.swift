public import MnemeModels
import MnemeNumerics

/// One sequence's KV cache, of which a policy keeps a part, with memory and steps of its own: it
/// measures policies (`mneme kv eval`). Answers hold a `CompressedSequence` in the engine's
/// memory.
///
/// A prompt either comes as it is read (``feed(_:endsPrompt:logits:)``), so that rows are evicted
/// whenever it is due, or whole, as in answers (``take(_:)``). It has neither sharing nor batching
/// nor tiers. Not safe for use from several threads.
public final class CompressedCache {
    /// The policy.
    public var policy: KVPolicy { sequence.policy }
    /// Rows that a head may keep on average.
    public var budget: Int { sequence.budget }
    /// The format of full blocks of 32 rows: each but the first, and those that stay exact, is
    /// encoded once.
    public var codec: KVCodec { sequence.codec }
    private let decoder: TransformerDecoder
    private let sequence: CompressedSequence
    private var isBehindPrompt = false

    /// - Parameters:
    ///   - decoder: the model that computes tokens.
    ///   - policy: chooses the rows that stay.
    ///   - budget: rows that a head may keep on average.
    ///   - positions: the most tokens that will come.
    ///   - codec: the format of full blocks of 32 rows.
    ///   - exact: the last rows that stay as they are (KIVI's residual).
    /// - Throws: ``KVError`` without memory, or if the parts do not go together.
    public init(
        _ decoder: TransformerDecoder, _ policy: KVPolicy, budget: Int, positions: Int,
        codec: KVCodec = .f16, exact: Int = 0
    ) throws {
        let shape = KVShape(decoder.configuration)
        // Blocks are given by the system when they are written: twice as many as rows need, as
        // pages of codes have blocks of their own.
        let arena = try KVArena(shape, bytes: (2 * KVShape.blocks(positions) + 8) * shape.blockBytes)
        self.decoder = decoder
        sequence = try CompressedSequence(
            decoder.configuration, policy, budget: budget, rows: positions, codec: codec,
            residual: exact, pages: KVPages(arena, bits: codec.isPaged ? codec.bits : 0))
    }

    /// Rows that all heads keep, on average.
    public var rowsPerHead: Double { sequence.rowsPerHead }
    /// The most that ``bytes`` was.
    public private(set) var peakBytes = 0
    /// Bytes of what is kept; of encoded blocks, those of their codes.
    public var bytes: Int { sequence.bytes }
    /// Bytes of keys and values that the last token read; of a policy with a selector, those of the
    /// chosen pages and of what stands for all.
    public var readBytes: Int { sequence.readBytes }
    /// The rows that a head keeps; valid until the next change.
    public func rows(_ layer: Int, _ head: Int) -> KVRows { sequence.rows(layer, head) }

    /// Computes tokens and keeps what the policy keeps.
    ///
    /// - Parameters:
    ///   - tokens: token ids, behind those that came before.
    ///   - endsPrompt: whether the prompt ends here.
    ///   - logits: `vocabularySize` floats, for the last token.
    /// - Throws: ``KVError`` if memory runs out.
    public func feed(_ tokens: [Int32], endsPrompt: Bool, logits: UnsafeMutablePointer<Float>) throws {
        var most = decoder.stepTokens
        var least = 1
        if case .every(let count) = policy.trigger { most = min(most, count) }
        // What is encoded is read so by the block that follows.
        if codec != .f16, policy.trigger == .never { most = min(most, KVShape.blockTokens) }
        if case .last(let window) = policy.scorer.needs { least = min(window, most) }
        var start = 0
        while start < tokens.count {
            // The last step has all tokens whose attention is asked for.
            let left = tokens.count - start
            let count = left > most && left - most < least ? left - least : min(left, most)
            guard sequence.prepare(count) else { throw Self.noMemory }
            step(
                tokens[start..<start + count], at: sequence.next, sequence.view, logits,
                isLast: count == left)
            start += count
            sequence.advance(count)
            peakBytes = max(peakBytes, bytes)
            if policy.trigger == .never || isBehindPrompt { sequence.encode() }
        }
        if endsPrompt {
            if policy.trigger != .never { sequence.evict() }
            isBehindPrompt = true
            sequence.encode()
        }
    }

    private static let noMemory = KVError(
        .outOfMemory, "There is no memory for more keys and values. Ask for fewer tokens.")

    /// Takes the rows of a computed prompt that the policy keeps, as answers do; the cache is empty
    /// before.
    ///
    /// - Throws: ``KVError`` if memory runs out.
    public func take(_ prompt: ExactPrompt) throws {
        let c = decoder.configuration
        let count = prompt.tokens.count
        if let weights = prompt.attention[policy.attention],
            let squares = prompt.squares[policy.attention]
        {
            sequence.setAttention(weights.pointer, squares: squares.pointer, rows: count)
        }
        guard sequence.take(0..<c.layers * c.kvHeads, from: prompt.buffer.view, rows: count) else {
            throw Self.noMemory
        }
        // Both are there while rows are copied.
        peakBytes = count * KVShape(c).tokenBytes + bytes
        isBehindPrompt = true
    }

    private func step(
        _ tokens: ArraySlice<Int32>, at position: Int, _ view: KVView,
        _ logits: UnsafeMutablePointer<Float>, isLast: Bool
    ) {
        var observed = 0
        if policy.trigger != .promptEnd || !isBehindPrompt {
            switch policy.scorer.needs {
            case .none: break
            case .all: observed = tokens.count
            case .last(let window):
                // A step with the whole window says all; behind the prompt, tokens since the last
                // choice add up.
                if !isBehindPrompt { sequence.clearAttention() }
                observed = min(window, tokens.count)
            }
        }
        let segment = DecoderSegment(
            tokens: 0..<tokens.count, position: position, view: view, logits: isLast ? 1 : 0,
            observation: sequence.observation(last: observed))
        tokens.withUnsafeBufferPointer { tokens in
            withUnsafePointer(to: segment) {
                decoder.step(
                    tokens: tokens, segments: UnsafeBufferPointer(start: $0, count: 1),
                    logits: logits)
            }
        }
    }
}
