import MnemeKV
import MnemeModels

/// A request and where it stands; used by the engine's thread alone once it has started.
struct EngineSequence {
    let id: Int
    let request: GenerationRequest
    let maxTokens: Int
    let arrival: ContinuousClock.Instant
    let deadline: ContinuousClock.Instant?
    let continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    var sampler: Sampler
    var constraint: (any TokenConstraint)?
    /// Guesses of the next tokens; nil where none are to be made.
    var drafts: Drafts?
    var session: KVCache.Session?
    /// Whether its blocks come from disk just now.
    var isLoading = false
    /// Texts that are looked for, are moved, and were moved here.
    var parts: [TextReuse.Part] = []
    var moving: TextReuse.Moving?
    var moved: Set<Range<Int>> = []
    /// Whether it waits for what the scheduler does not plan.
    var isFilling: Bool { isLoading || moving != nil }
    /// Tokens computed.
    var position = 0
    /// Tokens of the answer drawn.
    var answer: [Int32] = []
    var text = StreamingDecoder()
    var held = ""
    var lastToken: ContinuousClock.Instant?
    var usage = GenerationUsage()

    var tokens: Int { request.prompt.count + answer.count }
    func token(_ index: Int) -> Int32 {
        index < request.prompt.count
            ? request.prompt[index] : answer[index - request.prompt.count]
    }
    var positions: Int { request.prompt.count + maxTokens }

    mutating func closeParts() {
        for part in parts { part.close() }
        parts = []
    }

    /// Keeps what was computed and gives the memory up.
    func release() {
        for part in parts { part.close() }
        session?.close(token, computed: position)
    }

    /// Goes on behind what was found, once it is there.
    mutating func takeRestored() {
        guard let session, !session.isLoading, !parts.contains(where: \.isLoading) else {
            return
        }
        isLoading = false
        position = session.restored
        if answer.isEmpty { usage.cachedTokens = position }
    }
}
