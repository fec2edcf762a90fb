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
    let sequence: CompressedSequence
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
        sequence.selection?.audit = KVSelectionAudit(
            heads: decoder.configuration.layers * decoder.configuration.kvHeads)
    }

    /// Rows that all heads keep, on average.
    public var rowsPerHead: Double { sequence.rowsPerHead }
    /// The question that a policy which asks (``KVPolicy/asks``) chooses rows for while a prompt is read; it may be
    /// empty, and its tokens are kept nowhere.
    public var question: [Int32] = []
    /// The most that ``bytes`` was.
    public private(set) var peakBytes = 0
    /// Bytes of what is kept; of encoded blocks, those of their codes.
    public var bytes: Int { sequence.bytes }
    /// Bytes of keys and values that the last token read; of a policy with a selector, those of the
    /// chosen pages and of what stands for all.
    public var readBytes: Int { sequence.readBytes }
    /// What the policy's parts say of themselves, beside what is the same for all: "key error" and "value error", the
    /// relative change by codes or merging; "pool waste", the share of pages' memory that no row uses, and "rows
    /// moved" by evictions; "persistence", how many of the rows that the last tokens looked at most are so again. Of
    /// selectors see `KVSelectionAudit`.
    public var readings: [String: Double] { sequence.readings }
    /// Rows that each head keeps, one head behind the other.
    public var headRows: [Int] { sequence.positions.map(\.count) }
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
        if codec != .f16 || policy.coder != nil, policy.trigger == .never { most = min(most, KVShape.blockTokens) }
        if let window = policy.scorer.needs.window { least = min(window, most) }
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
            sequence.note(upTo: sequence.next + count) { tokens[start - count + $0 - sequence.next] }
            sequence.grow(count)
            if sequence.isDue { try evict() }
            peakBytes = max(peakBytes, bytes)
            if policy.trigger == .never || isBehindPrompt { sequence.encode() }
        }
        if endsPrompt {
            if policy.trigger != .never { try evict() }
            isBehindPrompt = true
            sequence.isBehindPrompt = true
            sequence.encode()
        }
    }

    /// Evicts rows, by what the question attends to if the policy asks.
    private func evict() throws {
        if policy.asks, !question.isEmpty {
            let question = question.suffix(decoder.stepTokens)
            guard sequence.prepare(question.count) else { throw Self.noMemory }
            sequence.clearAttention()
            var unused: Float = 0
            let segment = DecoderSegment(
                tokens: 0..<question.count, position: sequence.next, view: sequence.view, logits: 0,
                observation: sequence.observation(last: question.count))
            decoder.step(segment, question, &unused)
        }
        sequence.evict()
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
        sequence.observe(prompt)
        sequence.note(upTo: count) { prompt.tokens[$0] }
        guard sequence.take(0..<c.layers * c.kvHeads, from: prompt.buffer.view, rows: count) else {
            throw Self.noMemory
        }
        // Both are there while rows are copied.
        peakBytes = count * KVShape(c).tokenBytes + bytes
        isBehindPrompt = true
    }

    /// What a part is fitted to: all rows of a sample text with their attention, layer by layer.
    ///
    /// - Parameter body: called with the rows of each layer's heads; its results, in order.
    /// - Throws: ``KVError`` without memory, or for a text of no tokens.
    static func sample<Result>(
        _ decoder: TransformerDecoder, _ tokens: [Int32], _ body: ([KVRows]) -> Result
    ) throws -> [Result] {
        guard !tokens.isEmpty else {
            throw KVError(.unsupported, "This policy is fitted to a sample of text first. Use it in `mneme kv eval`.")
        }
        let all = KVPolicy("full", trigger: .promptEnd, scorer: H2O(), allocator: WholeBudget())
        let cache = try CompressedCache(decoder, all, budget: tokens.count, positions: tokens.count)
        try cache.take(ExactPrompt(decoder, tokens, needs: [.all]))
        let c = decoder.configuration
        return (0..<c.layers).map { layer in body((0..<c.kvHeads).map { cache.rows(layer, $0) }) }
    }

    private func step(
        _ tokens: ArraySlice<Int32>, at position: Int, _ view: KVView,
        _ logits: UnsafeMutablePointer<Float>, isLast: Bool
    ) {
        var observed = 0
        var recent = 0
        if policy.trigger != .promptEnd || !isBehindPrompt {
            let need = policy.attention
            if let window = need.window {
                // A step with the whole window says all; behind the prompt, tokens since the last
                // choice add up.
                if !isBehindPrompt { sequence.clearAttention() }
                recent = min(window, tokens.count)
            }
            observed = need.countsAll ? tokens.count : recent
        }
        let segment = DecoderSegment(
            tokens: 0..<tokens.count, position: position, view: view, logits: isLast ? 1 : 0,
            observation: sequence.observation(last: observed, recent: recent))
        decoder.step(segment, tokens, logits)
    }
}

extension TransformerDecoder {
    /// A step of one segment alone.
    func step(_ segment: DecoderSegment, _ tokens: ArraySlice<Int32>, _ logits: UnsafeMutablePointer<Float>) {
        tokens.withUnsafeBufferPointer { tokens in
            withUnsafePointer(to: segment) {
                step(tokens: tokens, segments: UnsafeBufferPointer(start: $0, count: 1), logits: logits)
            }
        }
    }
}
