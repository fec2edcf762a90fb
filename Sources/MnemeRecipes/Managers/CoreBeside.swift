import MnemeCube
package import MnemePipeline

/// Keeps places of each answer for memories of type core, the best of them by score, behind what another plan finds.
package struct CoreBeside: RetrievalPlan {
    /// The plan that finds the rest.
    package var base: any RetrievalPlan

    /// A plan beside another.
    package init(base: any RetrievalPlan) { self.base = base }

    /// One memory of the core for so many memories of an answer.
    private static let share = 5

    package var roundLimit: Int { base.roundLimit + 1 }
    package let hitLimit = 3_000

    package func first(_ query: RetrievalQuery) -> [Probe] {
        let room = max(1, query.request.limit / Self.share)
        return base.first(query) + [query.nearest(room, among: ProbeFilter(types: [.core]))]
    }

    package func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
        guard query.round < base.roundLimit else { return .ranked(placed(hits, query.request.limit)) }
        switch base.next(query, after: Array(hits.prefix(base.hitLimit))) {
        case .probe(let probes): return .probe(probes)
        case .answer: return .ranked(placed(hits, query.request.limit))
        case .ranked(let ranked):
            return .ranked(placed(ranked.sorted { ($1.score, $1.number) < ($0.score, $0.number) }, query.request.limit))
        }
    }

    /// Hits with the best of the core among the first `limit`.
    ///
    /// - Parameter hits: best first.
    func placed(_ hits: [RetrievalHit], _ limit: Int) -> [RetrievalHit] {
        let core = hits.filter { $0.type == .core }.prefix(limit / Self.share).map(\.number)
        let missing = hits.dropFirst(limit).filter { core.contains($0.number) }
        guard !missing.isEmpty else { return hits }
        let room = limit - missing.count
        // Between the last that keeps its place and the first that loses it.
        let (above, below) = (hits[max(0, room - 1)].score, hits[room].score)
        let scores = missing.indices.map { place in
            above - (above - below) * Float(place - missing.startIndex + 1) / Float(missing.count + 1)
        }
        let raised = Dictionary(zip(missing.map(\.number), scores)) { first, _ in first }
        return hits.map { hit in raised[hit.number].map { hit.scored($0) } ?? hit }
    }
}
