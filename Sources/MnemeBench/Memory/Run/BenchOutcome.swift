/// What came of one question.
public struct BenchOutcome: Sendable, Codable, Equatable {
    /// The history, the question and its kind.
    public var episode: String, question: String, category: String
    /// Scores by name, between 0 and 1 but for counts (turns, calls); those that do not apply are left out.
    public var metrics: [String: Double]
    /// The answer; empty where only recall was measured.
    public var answer: String
    /// Tokens of the recalled texts.
    public var tokens: Int
    /// Calls of a language model, and tokens of their prompts and answers, about.
    public var modelCalls: Int, modelTokens: Int
    /// Recalls made, and the share of their memories that an earlier one of the same question had brought.
    public var recalls: Int, redundancy: Double
    /// Milliseconds of recall, without embedding the question, and of answering.
    public var recallMilliseconds: Double, answerMilliseconds: Double
}

/// What storing one history cost.
public struct BenchFeed: Sendable, Codable, Equatable {
    /// The history, and its turns.
    public var episode: String, turns: Int
    /// Milliseconds to store and embed it, and of its maintenance.
    public var writeMilliseconds: Double, maintainMilliseconds: Double
    /// Bytes of the store afterwards.
    public var bytes: Int
    /// Calls of a language model while storing.
    public var modelCalls: Int
}

/// What a run depends on: results of another one are not mixed with it.
public struct BenchHeader: Sendable, Codable, Equatable {
    /// The benchmark's name.
    public var bench: String
    /// The data's name, and the first digits of its SHA-256.
    public var data: String, digest: String
    /// Recipe, embedder, what answers, who judges, memories for a question, and the seed of intervals.
    public var recipe: String, embedder: String, answerer: String, judge: String, limit: Int, seed: UInt64
}
