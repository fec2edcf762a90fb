/// One sequence's drafts: where they come from, and how many of them were accepted.
struct Drafts {
    /// Chance that a drafted token is accepted, before any was tried.
    private static let start = 0.6

    /// The source of drafts.
    private var lookup: PromptLookup
    /// Chance that a drafted token is accepted, smoothed over those that were tried.
    private(set) var acceptance = start

    /// Begins with a prompt's tokens; none was tried.
    init(_ prompt: [Int32]) { lookup = PromptLookup(prompt) }

    /// Adds a token of the answer.
    mutating func append(_ token: Int32) { lookup.append(token) }

    /// The tokens to try behind the last one; maybe none.
    ///
    /// - Returns: them, and how many of them are expected to be accepted.
    mutating func next(_ most: Int, rows: Int, expectedTokens: Double, _ meter: DraftMeter) -> (
        tokens: ArraySlice<Int32>, expected: Double
    ) {
        let draft = lookup.draft(most)
        guard !draft.isEmpty else { return ([], 0) }
        let best = meter.best(
            rows: rows, expectedTokens: expectedTokens, most: draft.count, acceptance: acceptance)
        // What was not accepted for a while is tried again now and then.
        if best.tokens == 0 { acceptance += (Self.start - acceptance) * 0.02 }
        return (draft.prefix(best.tokens), best.expected)
    }

    /// Notes how many tokens of a draft were accepted.
    mutating func note(accepted: Int, of tried: Int) {
        for _ in 0..<accepted { acceptance += (1 - acceptance) * 0.15 }
        if accepted < tried { acceptance -= acceptance * 0.15 }
    }
}
