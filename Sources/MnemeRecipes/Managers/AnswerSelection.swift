package import MnemePipeline

/// The answer agent of Memory-R1 [227]: of the best memories that another plan found, a trained choice comes first.
package struct AnswerSelection: RetrievalPlan {
    /// The plan that finds them.
    var base: any RetrievalPlan
    /// Chooses.
    var policy: ManagerPolicy

    /// Memories that are chosen among.
    package static let reach = 5
    /// Of one of them: its score less the best one's, how late it is among them, the question's words that it holds, and
    /// its likeness in meaning and words less the most of them.
    static let features = ["score", "late", "covered", "meaning", "words"].map { "first.\($0)" }

    package var roundLimit: Int { base.roundLimit + 1 }
    package var hitLimit: Int { max(1_000, base.hitLimit) }

    package func first(_ query: RetrievalQuery) -> [Probe] { base.first(query) }

    package func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
        var hits = hits
        if query.round < base.roundLimit {
            switch base.next(query, after: Array(hits.prefix(base.hitLimit))) {
            case .probe(let probes): return .probe(probes)
            case .ranked(let ranked): hits = ranked.sorted { ($1.score, $1.number) < ($0.score, $0.number) }
            case .answer: break
            }
        }
        guard let top = hits.first else { return .answer }
        let best = policy.best(of: Self.options(for: query, Array(hits.prefix(Self.reach))))
        if best > 0 { hits[best].score = top.score + 0.01 }
        return .ranked(hits)
    }

    /// A row for each of the best.
    package static func options(for query: RetrievalQuery, _ hits: [RetrievalHit]) -> [[Double]] {
        func most(_ value: (RetrievalHit) -> Float) -> Float { hits.map(value).max() ?? 0 }
        let tops = (most(\.score), most { $0.features[.meaning] }, most { $0.features[.words] })
        return hits.map { hit in
            let later = hits.count { $0.eventTime < hit.eventTime }
            let row = [
                Double(hit.score - tops.0), Double(later) / Double(max(1, hits.count - 1)),
                Double(query.coverage(of: [hit])), Double(hit.features[.meaning] - tops.1),
                Double(hit.features[.words] - tops.2),
            ]
            return [Double](repeating: 0, count: 30) + row
        }
    }
}
