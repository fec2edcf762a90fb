/// A debate by rule: each side proposes what it holds for best, hears what the others say of all proposals, and proposes
/// anew, until nobody changes a proposal.
///
/// A side's opinion of a candidate moves by a part of the way to the mean of all sides, so that what several stand behind
/// rises, and what one alone holds high keeps some of its height. Opinions come nearer in every round, so that it ends.
struct Debate: Sendable {
    /// Candidates that a side proposes.
    var places: Int
    /// How far an opinion moves to the mean in a round, and rounds at most.
    var yielding: Float = 0.3, rounds = 5

    /// Opinions at the end, all sides together; candidates that somebody proposes at the end come before all others.
    ///
    /// - Parameter views: each side's scores of the same candidates.
    /// - Complexity: O(*s* *n* log *n*) a round for *s* sides and *n* candidates.
    func outcome(_ views: [[Float]]) -> [Float] {
        guard let count = views.first?.count, count > 0 else { return [] }
        var views = views
        var proposals = views.map(proposed)
        for _ in 0..<rounds {
            // What nobody proposes is not talked about.
            for place in proposals.reduce(Set(), { $0.union($1) }) {
                let mean = views.reduce(0) { $0 + $1[place] } / Float(views.count)
                for side in views.indices { views[side][place] += yielding * (mean - views[side][place]) }
            }
            let next = views.map(proposed)
            if next == proposals { break }
            proposals = next
        }
        let standing = proposals.reduce(Set()) { $0.union($1) }
        let sums = (0..<count).map { place in views.reduce(0) { $0 + $1[place] } / Float(views.count) }
        let (least, most) = (sums.min() ?? 0, sums.max() ?? 0)
        return sums.enumerated().map { standing.contains($0) ? $1 + most - least + 1 : $1 }
    }

    /// Places of the best candidates of a side, the first of equals.
    private func proposed(_ view: [Float]) -> Set<Int> {
        Set(view.indices.sorted { (view[$1], $0) < (view[$0], $1) }.prefix(places))
    }
}
