/// How an adapter is learned. Kept with each checkpoint.
public struct TrainingSettings: Sendable, Equatable, Codable {
    /// Which terms are learned.
    public var shape = AdapterShape()
    /// Steps in all; nil passes five times over the examples, at least 60 steps; twenty times and 120 for procedures.
    public var steps: Int?
    /// The highest learning rate: reached after a twentieth of the steps, then falling to a tenth
    /// in a straight line.
    public var learningRate = 2e-3
    /// How much weight staying near the base has: that of KL(base || model) in texts that the base
    /// writes by itself, beside the loss of what is learned. 0 and nil keep nothing.
    public var keep: Double? = 1
    /// Decoupled weight decay.
    public var weightDecay = 0.01
    /// Of the first values, the order and what is held out.
    public var seed: UInt64 = 1
    /// Tokens of a sequence at most.
    public var sequenceTokens = 512
    /// The optimizer.
    public var optimizer = OptimizerKind.adamw
    /// How memory is used; nil, as in checkpoints of before there was a choice, is the first of each.
    public var strategies: TrainingStrategies?
    /// The number format of products with frozen weights.
    public var precision = TrainingPrecision.fastest

    /// The settings that suit some hundred notes.
    public init() {}

    /// - Throws: ``TrainingError`` that names the first setting that is out of range.
    public func check() throws {
        func require(_ condition: Bool, _ what: String) throws {
            guard condition else { throw TrainingError(.invalidSetting, what) }
        }
        try shape.check()
        try require(steps.map { (1...1_000_000).contains($0) } ?? true, "Steps are 1 to 1000000.")
        try require(
            learningRate > 0 && learningRate <= 1, "A learning rate is above 0 and at most 1.")
        try require((0...100).contains(keep ?? 0), "The weight of --keep is between 0 and 100.")
        try require(
            strategies?.ranks == nil || ![.man, .tokens, .side].contains(strategies?.route.kind),
            "The routes man, tokens and side have numbers of their own, which several ranks do not share. Take another --route."
        )
        try require((0...1).contains(weightDecay), "A weight decay is between 0 and 1.")
        try require(
            (8...2048).contains(sequenceTokens), "Tokens of a sequence are 8 to 2048.")
    }

    /// The learning rate of a step, from 0.
    func rate(_ step: Int, of steps: Int) -> Double {
        let warm = max(1, steps / 20)
        if step < warm { return learningRate * Double(step + 1) / Double(warm) }
        return learningRate * (1 - 0.9 * Double(step - warm) / Double(max(1, steps - warm)))
    }
}
