/// Shares the cores anew for each step, by a cost model that knows of contention (Nexus, Shi et al.
/// 2025).
///
/// One of the two goes first: prompts, as long as there is memory; answers, when it runs short, as
/// they give it back. Who goes first gets the most cores at which the other still takes no longer
/// than `slack` times what it would take on all of them; where there is no such share, the one at
/// which both suffer least. The share changes only if it differs by more than `step`, as changing it
/// costs.
package struct Nexus: CoreSplit {
    package let isOneStep = false
    /// How much longer the other may take; the share of memory above which answers go first.
    private let slack: Double, full: Double
    /// The least change, and the granularity of shares.
    private let step: Double
    /// The share that holds.
    private var current = 0.5

    /// - Parameters:
    ///   - slack: times the other's time alone.
    ///   - full: share of the memory for keys and values, above which answers go first.
    package init(slack: Double = 1.5, full: Double = 0.7) {
        self.slack = max(1, slack)
        self.full = full
        step = 0.05
    }

    package mutating func answerShare(_ view: SplitView) -> Double {
        let shares = stride(from: step, to: 1 - step / 2, by: step).map { share in
            (
                share: share,
                answers: view.cost.seconds(view.answers, cores: share, beside: view.prompts)
                    / view.cost.seconds(view.answers),
                prompts: view.cost.seconds(view.prompts, cores: 1 - share, beside: view.answers)
                    / view.cost.seconds(view.prompts)
            )
        }
        // Shares rise: prompts first want the least for answers, answers first the most.
        let best =
            view.memory < full
            ? shares.first { $0.answers <= slack } : shares.last { $0.prompts <= slack }
        let wanted =
            (best ?? shares.min { max($0.answers, $0.prompts) < max($1.answers, $1.prompts) })?.share ?? current
        if abs(wanted - current) > step * 1.5 { current = wanted }
        return current
    }
}
