/// Partitions of three levels for clusters whose nodes' links are narrow (Xu et al. 2025) [231]: weights
/// within a package, gradients within a node, the optimizer's state over all, beside ZeRO++.
public struct LowBandwidthPartition: TrainingQuestion, Equatable {
    /// What is trained.
    public var model = PlannedModel(layers: 44, hidden: 6144)
    /// Packages, nodes, all.
    public var cluster = PlannedCluster.frontier(nodes: 48)
    /// Tokens of a sequence, and sequences of a device in a step.
    public var length = 2048.0, sequences = 8.0

    /// Twenty billion parameters on 384 of Frontier's devices.
    public init() {}

    /// A step of ZeRO-3, of ZeRO++ (Wang et al. 2023) and with the three levels.
    ///
    /// - Throws: ``TrainingError`` for clusters of other than three levels.
    public func report() throws -> PlanReport {
        try model.check()
        try cluster.check()
        guard cluster.levels.count == 3, length >= 1, sequences >= 1 else {
            throw TrainingError(
                .invalidSetting, "Partitions of three levels need a cluster of three levels, and a sequence a device.")
        }
        let zero3 = ShardingPlan.zero(stage: 3, cluster)
        // Weights in eight bits, a second copy in the node, gradients in four bits.
        var plus = zero3
        (plus.second, plus.weightBits, plus.gradientBits) = (2, 8, 4)
        var levels = ShardingPlan()
        (levels.weights, levels.gradients, levels.optimizer) = (1, 2, 3)
        (levels.weightBits, levels.gradientBits) = (8, 4)
        let options = zip([zero3, plus, levels], ["ZeRO-3", "ZeRO++", "three levels"]).map { plan, name in
            var option = plan.step(
                model, cluster, length: length, tokens: length * sequences * Double(cluster.devices))
            option.name = name
            return option
        }
        return PlanReport("partitions over packages, nodes and \(cluster.devices) devices", options)
    }
}
