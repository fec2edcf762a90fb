public import MnemePipeline

/// Ranks by dense similarity alone, as most published systems do; by words what has no vector.
public struct RelevanceRanker: RecallRanker {
    /// A ranker without settings.
    public init() {}

    /// The cosine, or the BM25 score where there is no vector.
    public func contributions(of features: RecallFeatures) -> RecallFeatures {
        let meaning = features[.meaning]
        return RecallFeatures(meaning == 0 ? [.words: features[.words]] : [.meaning: meaning])
    }
}

extension RetrievalHit {
    /// The hit with another score.
    func scored(_ score: Float) -> RetrievalHit {
        var hit = self
        hit.score = score
        return hit
    }
}

extension RetrievalStep {
    /// The hits that a plan around another one goes on with: those that it chose, best first, or else all.
    func hits(among all: [RetrievalHit]) -> [RetrievalHit] {
        guard case .ranked(let chosen) = self else { return all }
        return chosen.sorted { ($1.score, $1.number) < ($0.score, $0.number) }
    }
}

extension RetrievalQuery {
    /// The share of the question's words, by weight, that some hits hold together.
    func coverage(of hits: some Sequence<RetrievalHit>) -> Float {
        let held = hits.reduce(UInt64(0)) { $0 | $1.matches }
        return weights.prefix(64).enumerated().reduce(0) {
            $0 + (held & (1 << UInt64($1.offset)) != 0 ? $1.element : 0)
        }
    }

    /// The words of the question that none of some hits holds.
    func missing(from hits: some Sequence<RetrievalHit>) -> [String] {
        let held = hits.reduce(UInt64(0)) { $0 | $1.matches }
        return words.prefix(64).enumerated().filter { held & (1 << UInt64($0.offset)) == 0 }
            .map(\.element)
    }
}
