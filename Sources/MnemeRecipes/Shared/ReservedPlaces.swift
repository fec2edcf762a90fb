import MnemePipeline

/// Places of an answer that are kept for some of what was found, such as what is known of a person: one of every few.
struct ReservedPlaces {
    /// The last of so many places is kept for what is chosen.
    var every: Int

    /// Hits with the best of those that are chosen at their places, if they do not stand before.
    ///
    /// - Parameters:
    ///   - hits: best first.
    ///   - limit: places of the answer.
    ///   - isChosen: what places are kept for.
    /// - Returns: the same hits, with scores by the new order.
    func filled(_ hits: [RetrievalHit], _ limit: Int, where isChosen: (RetrievalHit) -> Bool) -> [RetrievalHit] {
        var chosen = hits.indices.filter { isChosen(hits[$0]) }[...]
        guard !chosen.isEmpty else { return hits }
        var rest = hits.indices[...]
        var order: [Int] = []
        var taken: Set<Int> = []
        while order.count < min(limit, hits.count) {
            chosen = chosen.drop(while: taken.contains)
            rest = rest.drop(while: taken.contains)
            let isKept = (order.count + 1) % max(1, every) == 0
            guard let next = isKept ? chosen.first ?? rest.first : rest.first else { break }
            taken.insert(next)
            order.append(next)
        }
        order += hits.indices.filter { !taken.contains($0) }
        // The scores that stood there before, so that they fall; of equal ones none is before another by chance.
        return order.enumerated().map { place, old in hits[old].scored(hits[place].score - Float(place) * 1e-6) }
    }
}
