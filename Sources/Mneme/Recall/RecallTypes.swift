public import MnemeStore

/// A recalled memory and why.
public struct RecalledMemory: Sendable, Codable {
    /// The memory.
    public var memory: MemCube
    /// Higher is better; comparable within one answer.
    public var score: Double
    /// Contributions of each feature to the score, largest first where they are shown.
    public var explanation: [String: Double]
    /// Query words that the memory holds.
    public var matched: [String]
    /// Memories that say the same and were folded into this one.
    public var duplicates: [CubeID]
}

/// The answer to a `RecallRequest`.
public struct RecallResult: Sendable, Codable {
    /// The recalled memories, the best first.
    public var memories: [RecalledMemory]
    /// Memories that were considered.
    public var considered: Int
    /// Tokens of the returned texts.
    public var tokens: Int
    /// The duration in milliseconds.
    public var milliseconds: Double
    /// Memories whose vectors are not made yet; they were found by words only.
    public var pendingEmbeddings: Int
    /// Memories left out as they read like instructions to a model, see `list --state quarantined`.
    public var quarantined = 0
    /// A sentence for whoever asked, if the answer is not as good as it could be: the embedding
    /// model did not answer, and words alone decided.
    public var warning: String?

    /// Names in JSON.
    private enum CodingKeys: String, CodingKey {
        case memories, considered, tokens, milliseconds, pendingEmbeddings, warning
        case quarantined = "held"
    }
}
