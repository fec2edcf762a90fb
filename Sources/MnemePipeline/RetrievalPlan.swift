public import Foundation
public import MnemeCube

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
    /// Stems of the question's words that are looked for, and the weight of each: rare words count
    /// more; the weights add up to 1.
    public var words: [String] = []
    /// The weight of each word.
    public var weights: [Float] = []
    /// The only speaker that the question names, in lower case.
    public var speaker: String?
    /// True if the question asks for a time, or names one.
    public var asksWhen = false, namesTime = false
    /// True if dense search finds anything: false without an embedding model.
    public var hasVector = false

    /// A question that is about to be planned.
    public init(request: RecallRequest, memories: Int, round: Int) {
        (self.request, self.memories, self.round) = (request, memories, round)
    }

    /// A probe for the memories nearest in meaning, or by words where there is no vector.
    public func nearest(_ limit: Int, among filter: ProbeFilter?) -> Probe {
        hasVector ? .dense(limit: limit, among: filter) : .words(limit: limit, among: filter)
    }
}

/// A search of the index for candidates.
public enum Probe: Sendable, Equatable {
    /// Every memory.
    case everything
    /// Memories with the highest BM25 score, and what stands beside each in its conversation. With
    /// a filter only what passes it, and nothing beside it.
    case words(limit: Int, among: ProbeFilter? = nil)
    /// Memories whose window of a conversation has the highest BM25 score, and what stands beside
    /// each.
    case wordsNearby(limit: Int)
    /// Memories with the highest dense similarity, and what stands beside each. With a filter only
    /// what passes it, and nothing beside it.
    case dense(limit: Int, among: ProbeFilter? = nil)
    /// Memories near the times that the question names.
    case dates(limit: Int)
    /// Memories around others in the graph; how near sets the feature ``RecallFeature/related`` of
    /// all hits.
    case walk(from: [WalkSeed], limit: Int)
    /// Memories with the highest BM25 score for another text than the question; sets
    /// ``RetrievalHit/probed``.
    case text(String, limit: Int)
    /// Memories nearest to the mean of the question's vector and those of memories; sets
    /// ``RetrievalHit/probed``.
    case like([Int], limit: Int)
    /// Memories that somebody or something linked with these, nothing between them; sets
    /// ``RetrievalHit/probed``.
    case linked(with: [Int], limit: Int)
}

/// Which memories a ``Probe`` may find: those that pass every part that is set.
public struct ProbeFilter: Sendable, Equatable {
    /// Of one of these types.
    public var types: Set<MemoryType>?
    /// Of one of these conversations.
    public var sessions: Set<String>?
    /// With this tag, or without that one.
    public var tag: String?, withoutTag: String?

    /// A filter; what is left out lets everything pass.
    public init(
        types: Set<MemoryType>? = nil, sessions: Set<String>? = nil, tag: String? = nil,
        withoutTag: String? = nil
    ) {
        (self.types, self.sessions, self.tag, self.withoutTag) = (types, sessions, tag, withoutTag)
    }
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
    /// The round in which it was found first.
    public var round = 0
    /// The highest score of a probe by ``Probe/text(_:limit:)``, ``Probe/like(_:limit:)`` or
    /// ``Probe/linked(with:limit:)``, as a share of that probe's best; 0 if none found it.
    public var probed: Float = 0
    /// Bit i is set if the memory holds the i-th of ``RetrievalQuery/words``.
    public var matches: UInt64 = 0
    /// The memory's type, speaker (as written), conversation, time and tags.
    public var type = MemoryType.episodic
    /// Who said it.
    public var speaker: String?
    /// Its conversation.
    public var session: String?
    /// When it was said or happened.
    public var eventTime = Date(timeIntervalSince1970: 0)
    /// Its tags.
    public var tags: [String] = []

    /// A candidate with its features.
    public init(number: Int, score: Float, features: RecallFeatures) {
        (self.number, self.score, self.features) = (number, score, features)
    }

    /// True if it holds a word of the question.
    public func holds(_ word: Int) -> Bool { word < 64 && matches & (1 << UInt64(word)) != 0 }
}

/// The next step of a ``RetrievalPlan``.
public enum RetrievalStep: Sendable {
    /// Makes another round of probes.
    case probe([Probe])
    /// Answers with what was found, in the order of the ranker.
    case answer
    /// Answers with these hits alone, by the scores that the plan has given them. What a score
    /// differs by from the ranker's stands in explanations as `plan`.
    case ranked([RetrievalHit])
}
