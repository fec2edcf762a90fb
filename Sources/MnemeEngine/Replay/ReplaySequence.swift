import MnemeKV

/// A sequence of a replay: what ``EngineSequence`` is without words, samples and streams.
struct ReplaySequence: ScheduledSequence {
    let id: Int
    let request: TraceRequest
    /// The most tokens of its answer that the engine knows of, and those that there will be.
    let maxTokens: Int, completionTokens: Int
    let arrival: Double
    /// Its blocks; nil until it is admitted, and while it is put back.
    var session: KVCache.Session?
    /// A step that is not over computes it.
    var isInFlight = false
    /// Tokens computed, and tokens of the answer.
    var position = 0
    var answered = 0
    /// When it started, and the time of the first token and of the last one.
    var start: Double?, firstToken: Double?, lastToken = 0.0
    /// Tokens of the prompt that were cached when it first started, and all that were computed.
    var cachedTokens: Int?, computedTokens = 0

    /// True if its next step gives a token of the answer, and no prompt is computed for it.
    var isAnswering: Bool { answered > 0 && tokens - position == 1 }
    var key: String { request.owner }
    /// Owners' blocks are found by all, as requests of one tenant are.
    var scope: String { "" }
    var tokens: Int { request.promptTokens + answered }
    var startTokens: Int { tokens }
    var extraBlocks: Int { 0 }
    var remaining: Int { maxTokens - answered }
    var unsharedBlocks: Int { session?.unsharedBlocks ?? 0 }
    var view: EngineView.Running {
        EngineView.Running(
            id: id, position: position, pending: isInFlight ? 0 : tokens - position,
            blocks: session?.blocks ?? 0)
    }
    func token(_ index: Int) -> Int32 { request.token(index) }

    mutating func putBack() {
        session?.close(token, computed: position)
        session = nil
        position = 0
    }
}
