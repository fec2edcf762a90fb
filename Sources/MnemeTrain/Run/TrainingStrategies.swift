/// How a training goes about memory: strategies that do not change what is learned from.
public struct TrainingStrategies: Sendable, Equatable, Codable {
    /// What is kept between the forward and the backward pass.
    public var savedTensors = SavedTensors.checkpoint
    /// How gradients are found.
    public var route = LearningRoute.backprop
    /// Where the base's weights are meanwhile.
    public var placement = BasePlacement.mapped
    /// Where the optimizer's state is between steps; nil, as in checkpoints of before there was a choice, is
    /// memory.
    public var optimizerState: StatePlacement?

    /// How processes share it; nil for one process.
    public var ranks: RankSettings?

    /// Each layer's input is kept, gradients go through all layers, weights are in their file's pages.
    public init() {}
}
