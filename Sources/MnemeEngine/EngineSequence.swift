import MnemeKV
import MnemeModels

/// A request on its way, from admission to the end of its stream; used by the engine's thread alone
/// once it has started.
///
/// Its tokens are the prompt and the answer so far. `position` says how many of them have keys and
/// values: when all have, the logits behind the last are sampled, and the answer grows by one.
struct EngineSequence {
    /// Counts requests; the older comes first.
    let id: Int
    let request: GenerationRequest
    /// The adapter that it is computed with, in memory as long as it runs.
    let adapter: LoadedAdapter?
    /// The most tokens of the answer, and the times by which it is measured and ended.
    let maxTokens: Int
    let arrival: ContinuousClock.Instant
    let deadline: ContinuousClock.Instant?
    /// The caller's stream.
    let continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    /// The choice of tokens, and the form that they are held to.
    var sampler: Sampler
    var constraint: (any TokenConstraint)?
    /// Keeps room for the end of an answer of such a form.
    var budget = AnswerBudget()
    /// Guesses of the next tokens; nil where none are to be made.
    var drafts: Drafts?
    /// Its KV cache; nil until it is admitted, and while it is put back.
    var session: KVCache.Session?
    /// How its rows are compressed behind the prompt; nil if they are not.
    var compression: SequenceCompression?
    /// The rows that it keeps; nil until it is admitted, and while it is put back.
    var compressed: CompressedSequence?
    /// Heads whose rows were copied so far; nil while none are to be.
    var taken: Int?
    /// True if it goes on with the rows that it keeps alone.
    var isCompressed: Bool { compressed != nil && session == nil }
    /// Tokens that are computed by what it has now: by the session, or by the rows that it keeps.
    var reach: Int { isCompressed ? tokens : compression?.exactTokens ?? tokens }
    /// Blocks are being read from a tier.
    var isLoading = false
    /// What is computed behind them meanwhile.
    var ahead: LayeredPrefill?
    /// Texts that are looked for, are moved, and were moved here.
    var parts: [TextReuse.Part] = []
    var rebasing: TextReuse.Rebasing?
    var moved: Set<Range<Int>> = []
    /// It waits for what the scheduler does not plan: blocks from a tier, texts that are moved, or
    /// rows that are copied.
    var isFilling: Bool { isLoading || rebasing != nil || taken != nil }
    /// Tokens computed.
    var position = 0
    /// Tokens of the answer that were sampled.
    var answer: [Int32] = []
    /// Text on its way out: half characters, then what may begin a stop string.
    var text = StreamingDecoder()
    var pendingText = ""
    /// The time of the last token, and what the request has cost.
    var lastToken: ContinuousClock.Instant?
    var usage = GenerationUsage()

    /// The cache scope: an adapter's keys and values are its own, where they are not the model's. No other
    /// scope begins with NUL and this word.
    var scope: String {
        guard let adapter, !adapter.weights.leavesPrompts else { return request.scope }
        return "\0adapter \(adapter.hash) \(request.scope)"
    }

    /// Tokens computed that others of the scope may find. Behind tokens of procedures nobody does: another adapter's
    /// have the same numbers.
    var shareable: Int { adapter?.weights.procedures == nil ? position : min(position, request.prompt.count) }

    /// Tokens of prompt and answer so far, and the most that there will be.
    var tokens: Int { request.prompt.count + answer.count }
    /// The token at a position.
    func token(_ index: Int) -> Int32 {
        index < request.prompt.count
            ? request.prompt[index] : answer[index - request.prompt.count]
    }
    var positions: Int { request.prompt.count + maxTokens }

    /// Samples the next token. Where it would leave no room for the end of the form, the answer goes
    /// to its end instead.
    ///
    /// - Parameter allowed: a bit for each token that the form allows here; nil for all.
    mutating func next(
        _ logits: UnsafeMutableBufferPointer<Float>, allowed: [UInt64]?,
        _ vocabulary: () -> SchemaVocabulary
    ) -> Int32 {
        guard let before = constraint else { return sampler.next(logits) }
        let untouched = sampler
        var token = sampler.next(logits, allowed: allowed)
        var after = before
        after.advance(token)
        let replacement =
            request.ignoresEnd
            ? nil
            : budget.replacement(
                for: token, before, after, left: maxTokens - answer.count, vocabulary())
        if let replacement {
            // Sampled as the only one that may come, so that penalties count it.
            var only = [UInt64](repeating: 0, count: (logits.count + 63) / 64)
            only[Int(replacement) >> 6] = 1 << UInt64(replacement & 63)
            sampler = untouched
            token = sampler.next(logits, allowed: only)
            after = before
            after.advance(token)
        }
        constraint = after
        return token
    }

    /// Gives up the texts that were looked for.
    mutating func closeParts() {
        for part in parts { part.close() }
        parts = []
    }

    /// Keeps what was computed and gives the memory up.
    func release() {
        for part in parts { part.close() }
        session?.close(token, computed: shareable)
    }

    /// Goes on behind what was found, once it is there.
    mutating func takeRestored() {
        guard let session, !session.isLoading, !parts.contains(where: \.isLoading) else {
            return
        }
        // What stands on blocks that were not sound is computed again.
        if !session.takeLoaded() { ahead = nil }
        // The next round ends a sequence whose blocks could not be mapped.
        guard session.failure == nil else { return }
        isLoading = false
        position = session.restored
        if answer.isEmpty { usage.cachedTokens = position }
    }
}
