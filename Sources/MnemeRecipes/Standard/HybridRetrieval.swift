import Foundation
public import MnemePipeline

/// Hybrid retrieval: candidates by BM25, dense similarity and dates, then one walk of the graph
/// from the best.
///
/// The walk follows HippoRAG (Gutiérrez et al. 2024): personalised PageRank from what was found,
/// for answers that share no word with the question.
public struct HybridRetrieval: RetrievalPlan {
    /// Up to so many memories, each is a candidate.
    public var smallIndex = 2_000
    /// Memories taken from each probe of the first round.
    public var perProbe = 150
    /// Memories taken from the walk.
    public var perWalk = 100
    /// Memories from which the graph is walked.
    public var hitLimit = 10
    /// One round of probes, and one of walking.
    public let roundLimit = 2

    /// A plan with the standard limits.
    public init() {}

    /// The probes of the first round: everything for a small index, whose full ranking costs
    /// little, else four candidate lists.
    public func first(_ query: RetrievalQuery) -> [Probe] {
        if query.memories <= smallIndex { return [.everything] }
        return [
            .words(limit: perProbe), .wordsNearby(limit: perProbe), .dense(limit: perProbe),
            .dates(limit: perProbe),
        ]
    }

    /// One walk from the hits, each a seed of weight exp(score − best score). Without hits the
    /// search ends.
    public func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
        guard let top = hits.first?.score else { return .answer }
        let seeds = hits.map {
            WalkSeed(number: $0.number, weight: Float(exp(Double($0.score - top))))
        }
        return .probe([.walk(from: seeds, limit: perWalk)])
    }
}
