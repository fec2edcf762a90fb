public import Foundation
public import MnemeCube

/// The parts of recall that are used; all but ``fused`` serve comparison.
public enum RecallMode: String, Sendable, Codable, CaseIterable {
    /// All parts of recall.
    case fused
    /// BM25 of the memory alone.
    case words
    /// Vector similarity of the memory alone.
    case vectors
    /// Reciprocal rank fusion of the two (Cormack et al. 2009, k = 60).
    case rrf
}

/// A question to memory.
public struct RecallRequest: Sendable {
    /// The question.
    public var query: String
    /// Whose memories are asked.
    public var owner: Owner
    /// Whose memories are asked besides, in the same breath: a team's, a project's. The caller must
    /// reach each.
    public var also: [Owner] = []
    /// Only memories of this agent, session, type or with this tag.
    public var agent: String?
    /// Only memories of this session.
    public var session: String?
    /// Only memories of this type.
    public var type: MemoryType?
    /// Only memories with this tag.
    public var tag: String?
    /// Only what happened from the first and before the second.
    public var from: Date?
    /// Only memories before this event time.
    public var before: Date?
    /// Recorded time as of which memory is asked: later memories are not known yet.
    public var asOf: Date?
    /// The valid time that is asked for: nothing that happened later, and nothing that had ceased
    /// to hold.
    public var at: Date?
    /// At most so many memories.
    public var limit: Int
    /// At most so many tokens of text in all; nil sets no bound.
    public var tokenBudget: Int?
    /// The parts of recall that are used.
    public var mode: RecallMode
    /// The time of the question, which "today" in it refers to.
    public var now: Date

    /// A filter other than the owner is set.
    package var isFiltered: Bool {
        agent != nil || session != nil || type != nil || tag != nil || from != nil || before != nil
            || at != nil
    }

    /// The question, for whom, and how many memories at most.
    public init(_ query: String, owner: Owner = Owner(), limit: Int = 10) {
        self.query = query
        self.owner = owner
        self.limit = limit
        mode = .fused
        now = Date()
    }
}
