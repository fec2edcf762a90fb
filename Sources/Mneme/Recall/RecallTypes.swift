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
    /// Memories of the same answer that give another value for what was asked, where nothing tells
    /// which side is right; nil if there are none. Who hands both to a model should say that they
    /// differ, see ``ChatMemory/parts(_:memories:)``.
    public var disputedBy: [CubeID]?
}

extension RecalledMemory {
    /// A memory that was not looked for.
    package init(_ memory: MemCube) {
        self.init(memory: memory, score: 0, explanation: [:], matched: [], duplicates: [])
    }
}

/// Where candidates of an answer were looked for.
public enum RecallSource: String, Sendable, Codable {
    /// In the database: the owner's index is not in memory, and questions are few.
    case database
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
    /// Where candidates were looked for, if not in an index in memory.
    public var source: RecallSource?

    /// Names in JSON.
    private enum CodingKeys: String, CodingKey {
        case memories, considered, tokens, milliseconds, pendingEmbeddings, warning, source
        case quarantined = "held"
    }
}
