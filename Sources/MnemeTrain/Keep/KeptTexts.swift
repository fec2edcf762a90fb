import MnemeBase

/// Texts of the base model, a few of which are in each step: the model that learns is to predict in
/// them what its base predicts.
struct KeptTexts {
    /// Texts, tokens of each beside a chat template's, and texts of a step.
    static let count = 64
    static let tokens = 96
    static let perStep = 2

    /// In the order that they were written in; kept in each checkpoint.
    let texts: [ExampleEncoder.Sequence]
    private let seed: UInt64
    /// For each text the base's normed states of the rows that count.
    private var states: [[Float]] = []

    /// - Parameter seed: of the order in which they come.
    init(_ texts: [ExampleEncoder.Sequence], seed: UInt64) {
        (self.texts, self.seed) = (texts, seed)
    }

    /// Tokens of a step's texts at most.
    var stepTokens: Int { texts.map(\.tokens.count).sorted(by: >).prefix(Self.perStep).reduce(0, +) }

    /// Computes what the base predicts in each text.
    mutating func prepare(_ model: AdapterModel) {
        states = texts.map {
            var batch = TrainingBatch()
            batch.keep($0.tokens, promptTokens: $0.promptTokens)
            return model.baseStates(batch)
        }
    }

    /// Appends a step's texts to its batch, and gives the base's states of their rows. Each text
    /// comes once in a round through all.
    ///
    /// - Parameter step: from 0.
    func add(to batch: inout TrainingBatch, step: Int) -> [Float] {
        var base: [Float] = []
        guard !texts.isEmpty else { return base }
        for place in step * Self.perStep..<(step + 1) * Self.perStep {
            var generator = SplitMix64(
                seed: SplitMix64.mixed(seed &+ UInt64(place / texts.count) &+ 0x6b_6570_74))
            let index = texts.indices.shuffled(using: &generator)[place % texts.count]
            batch.keep(texts[index].tokens, promptTokens: texts[index].promptTokens)
            base += states[index]
        }
        return base
    }
}
