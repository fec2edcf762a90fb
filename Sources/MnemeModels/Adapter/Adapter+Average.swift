extension Adapter {
    /// The weighted mean of what adapters add to the model, exact: their terms side by side, so that
    /// B·A is the mean of their products, and the rank is the sum of theirs.
    ///
    /// The mean of their factors would be another thing: it mixes the A of one with the B of another.
    /// A mean of means, weighted by what is behind each, is the mean of all; so no machine has to
    /// gather them (averaging without a server, after LIFL, Qi et al. 2024) [165].
    ///
    /// - Parameter parts: adapters of one base with weights above 0, which need not sum up to 1.
    /// - Throws: ``AdapterError`` if there is none, one scales rows (DoRA) or has no terms, a weight is none, the
    ///   ranks come to more than ``maximumRank``, or their matrices are of different sizes.
    /// - Complexity: linear in the values of all.
    public static func mean(of parts: [(adapter: Adapter, weight: Double)]) throws -> Adapter {
        let total = parts.reduce(0) { $0 + $1.weight }
        guard !parts.isEmpty, parts.allSatisfy({ $0.weight > 0 }), total.isFinite else {
            throw AdapterError(
                .unsupported, "A mean needs at least one adapter, and weights above 0 for all.")
        }
        for part in parts { try part.adapter.requireTerms("A mean") }
        guard !parts.contains(where: { $0.adapter.hasMagnitudes }) else {
            throw AdapterError(
                .unsupported,
                "Adapters with rows' lengths (DoRA) have no mean of low rank. Average those trained without --dora.")
        }
        var terms: [Place: Term] = [:]
        for place in Set(parts.flatMap(\.adapter.terms.keys)) {
            let some = parts.compactMap { part in
                part.adapter.terms[place].map { (term: $0, share: part.weight / total) }
            }
            terms[place] = try joined(some, place)
        }
        return Adapter(terms)
    }

    /// Terms of one map as one, of scale 1.
    private static func joined(_ parts: [(term: Term, share: Double)], _ place: Place) throws -> Term {
        let rank = parts.reduce(0) { $0 + $1.term.rank }
        let name = "the \(place.linear.rawValue) of layer \(place.layer)"
        guard rank <= maximumRank else {
            throw AdapterError(
                .unsupported,
                "Together the adapters have rank \(rank) for \(name); at most \(maximumRank) are taken. Average fewer.")
        }
        let outputs = Set(parts.map { $0.term.b.count / $0.term.rank })
        let inputs = Set(parts.map { $0.term.a.count / $0.term.rank })
        guard let rows = outputs.first, outputs.count == 1, inputs.count == 1 else {
            throw AdapterError(
                .wrongBase, "The adapters have terms of different sizes for \(name): their bases differ.")
        }
        var b: [Float] = []
        b.reserveCapacity(rows * rank)
        for row in 0..<rows {
            for part in parts {
                let factor = Float(part.share) * part.term.scale
                b += part.term.b[row * part.term.rank..<(row + 1) * part.term.rank].map { $0 * factor }
            }
        }
        return Term(rank: rank, scale: 1, a: parts.flatMap(\.term.a), b: b)
    }
}
