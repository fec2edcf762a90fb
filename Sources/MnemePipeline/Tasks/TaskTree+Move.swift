/// Moving steps: the order in which things are done changes while they are done.
extension TaskTree {
    /// Where a step goes.
    package enum Place: Sendable, Equatable {
        /// In front of a step, below the same parent.
        case before(String)
        /// Behind all that is below a step.
        case below(String)
    }

    /// The steps that moving one changes: it, and siblings that get another number.
    ///
    /// - Returns: nil where the step cannot go: the task itself has no other place, and no step lies in front of the task or
    ///   within its own part; or there is no such step.
    package func moved(_ id: String, to place: Place) -> [Step]? {
        let known = Dictionary(steps.map { ($0.step.id, $0.step) }) { first, _ in first }
        let (mark, parent) =
            switch place {
            case .before(let mark): (mark, known[mark]?.parent)
            case .below(let mark): (mark, mark)
            }
        guard var step = known[id], step.parent != nil, known[mark] != nil, let parent,
            !path(to: mark).contains(where: { $0.id == id })
        else { return nil }
        // Steps are listed in order, siblings as well.
        var siblings = steps.map(\.step).filter { $0.parent == parent && $0.id != id }
        step.parent = parent
        siblings.insert(step, at: place == .before(mark) ? siblings.firstIndex { $0.id == mark } ?? 0 : siblings.count)
        return siblings.enumerated().compactMap { place, sibling in
            var sibling = sibling
            sibling.order = place
            return sibling == known[sibling.id] ? nil : sibling
        }
    }
}
