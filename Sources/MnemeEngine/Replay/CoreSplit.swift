/// What a split of the cores is decided from.
package struct SplitView: Sendable {
    /// The next step of answers, and of prompts, if each ran on its own.
    package var answers: StepLoad, prompts: StepLoad
    /// The share of the memory for keys and values that is in use, 0 to 1.
    package var memory: Double
    /// How long steps take.
    package var cost: StepCost

    /// A view of two steps.
    package init(answers: StepLoad, prompts: StepLoad, memory: Double, cost: StepCost) {
        self.answers = answers
        self.prompts = prompts
        self.memory = memory
        self.cost = cost
    }
}

/// Shares the cores between answers and prompts, which either make one step together or two side by
/// side.
package protocol CoreSplit: Sendable {
    /// True if prompts and answers are computed in one step, one behind the other.
    var isOneStep: Bool { get }
    /// The share of the cores that answers get, above 0 and below 1, where both have work.
    mutating func answerShare(_ view: SplitView) -> Double
}

/// One step computes answers and a chunk of prompts on all cores (chunked prefill, Agrawal et al.
/// 2024): what the engine does.
package struct OneStep: CoreSplit {
    package let isOneStep = true

    /// It has no settings.
    package init() {}

    package func answerShare(_ view: SplitView) -> Double { 1 }
}

/// Answers have a fixed share of the cores.
package struct StaticSplit: CoreSplit {
    package let isOneStep = false
    /// The share of answers.
    private let share: Double

    /// - Parameter share: above 0 and below 1.
    package init(_ share: Double = 0.5) { self.share = min(max(share, 0.01), 0.99) }

    package func answerShare(_ view: SplitView) -> Double { share }
}
