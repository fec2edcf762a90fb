/// The engine that a trace is replayed on: its bounds, its rules, and how long its steps take.
package struct ReplaySettings: Sendable {
    /// Tokens of keys and values in memory, in use and kept.
    package var kvTokens = 65_536
    /// Tokens of a step, sequences that run at once, and requests that wait.
    package var stepTokens = 512, sequences = 16, waiting = 256
    /// The most tokens of an answer where the trace does not tell.
    package var maxTokens = 2048
    /// Says who may start.
    package var admission: any AdmissionPolicy = AggressiveAdmission()
    /// How the cores are shared between prompts and answers.
    package var split: any CoreSplit = OneStep()
    /// What becomes of sequences that are put back, and tokens of the memory that they are copied to.
    package var contextSwitch: any ContextSwitch = Recompute()
    package var hostTokens = 262_144
    /// How long steps take.
    package var cost = StepCost()
    /// Seconds to the first token, and seconds a token, that a request may take to count as served
    /// in time.
    package var firstTokenLimit = 2.0, tokenLimit = 0.1

    /// Whether it is measured how long blocks that several prompts share are needed; takes a name
    /// for each block.
    package var measuresSharing = false

    /// The engine's own bounds, 65,536 tokens of memory.
    package init() {}

    /// - Throws: `EngineError` for bounds that make no engine.
    func check() throws {
        guard (32...(1 << 31)).contains(kvTokens), (1...1_000_000).contains(stepTokens),
            (1...100_000).contains(sequences), waiting > 0, maxTokens > 0, firstTokenLimit > 0, tokenLimit > 0
        else {
            throw EngineError(
                .invalidRequest,
                "A replay needs memory for 32 tokens at least, a token of a step, a sequence, a place to wait, "
                    + "and limits above 0."
            )
        }
    }
}
