import MnemeStore

/// The third stage: says where candidates for an answer are looked for, round by round, until there
/// is enough.
///
/// The core runs the probes on the index, keeps to filters and access, and computes the features of
/// every hit.
public protocol RetrievalPlan: Sendable {
    /// The first round of probes.
    func first(_ query: RetrievalQuery) -> [Probe]
    /// The next round, or the end of the search.
    ///
    /// - Parameters:
    ///   - query: what is asked.
    ///   - hits: the best so far, best first; at most ``hitLimit``.
    func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep
    /// The most rounds of probes; the search ends after the last.
    var roundLimit: Int { get }
    /// The most hits that ``next(_:after:)`` looks at.
    var hitLimit: Int { get }
}

/// A question, as a ``RetrievalPlan`` sees it.
public struct RetrievalQuery: Sendable {
    /// The question and its filters.
    public var request: RecallRequest
    /// Memories in the index.
    public var memories: Int
    /// The round that is planned, from 0.
    public var round: Int
}

/// A search of the index for candidates.
public enum Probe: Sendable, Equatable {
    /// Every memory.
    case everything
    /// Memories with the highest BM25 score, and what stands beside each in its conversation.
    case words(limit: Int)
    /// Memories whose window of a conversation has the highest BM25 score, and what stands beside
    /// each.
    case wordsNearby(limit: Int)
    /// Memories with the highest dense similarity, and what stands beside each.
    case dense(limit: Int)
    /// Memories near the times that the question names.
    case dates(limit: Int)
    /// Memories around others in the graph; how near sets the feature ``RecallFeature/related`` of
    /// all hits.
    case walk(from: [WalkSeed], limit: Int)
}

/// A memory from which the graph is walked.
public struct WalkSeed: Sendable, Equatable {
    /// Its number in the index, as in ``RetrievalHit/number``.
    public var number: Int
    /// Its share of the walks, relative to the others'.
    public var weight: Float

    /// A memory and its weight.
    public init(number: Int, weight: Float) {
        self.number = number
        self.weight = weight
    }
}

/// A candidate that a ``RetrievalPlan`` has found.
public struct RetrievalHit: Sendable {
    /// Its number in the index.
    public var number: Int
    /// Its score so far.
    public var score: Float
    /// The features that its score is made of.
    public var features: RecallFeatures
}

/// The next step of a ``RetrievalPlan``.
public enum RetrievalStep: Sendable {
    /// Makes another round of probes.
    case probe([Probe])
    /// Answers with what was found.
    case answer
}
