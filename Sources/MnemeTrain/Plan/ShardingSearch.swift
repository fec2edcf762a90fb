/// Searches all ways to split a training over a cluster, and compares with those that are commonly
/// taken (InternEvo, Chen et al. 2024) [128].
public struct ShardingSearch: TrainingQuestion, Equatable {
    /// What is trained.
    public var model = PlannedModel(layers: 32, hidden: 4096)
    /// Where.
    public var cluster = PlannedCluster.a100(nodes: 8)
    /// Tokens of a sequence.
    public var length = 16_384.0
    /// Tokens of a step, of all devices together.
    public var tokens = 4_194_304.0

    /// Seven billion parameters on eight nodes of eight devices.
    public init() {}

    /// Matrices split within the innermost level or none, the depth in parts, the state over all.
    private var threeDimensional: [ShardingPlan] {
        var all: [ShardingPlan] = []
        for tensor in 0..<cluster.levels.count {
            for pipeline in [1, 2, 4, 8] where tensor > 0 || pipeline > 1 {
                let parts = cluster.devices(to: tensor) * pipeline
                guard parts <= cluster.devices, model.layers >= pipeline else { continue }
                var plan = ShardingPlan()
                (plan.tensor, plan.pipeline, plan.optimizer) = (tensor, pipeline, cluster.levels.count)
                all.append(plan)
            }
        }
        return all
    }

    /// Every plan that is looked at.
    public var plans: [ShardingPlan] {
        var all = threeDimensional
        let top = cluster.levels.count
        for weights in 0...top {
            for gradients in weights...top {
                for optimizer in gradients...top {
                    for sequence in 0...top {
                        var plan = ShardingPlan()
                        (plan.weights, plan.gradients) = (weights, gradients)
                        (plan.optimizer, plan.sequence) = (optimizer, sequence)
                        all.append(plan)
                    }
                }
            }
        }
        return all
    }

    private func step(_ plan: ShardingPlan) -> PlannedOption {
        plan.step(model, cluster, length: length, tokens: tokens)
    }

    /// The best plan, and the common ones.
    public func report() throws -> PlanReport {
        try model.check()
        try cluster.check()
        guard length >= 1, tokens >= length else {
            throw TrainingError(.invalidSetting, "A step has at least one sequence, and a sequence one token.")
        }
        func best(_ options: [PlannedOption]) -> PlannedOption? {
            options.filter { $0.obstacle == nil }.min { $0.seconds < $1.seconds } ?? options.first
        }
        var options = (1...3).map { stage in
            var option = step(.zero(stage: stage, cluster))
            option.name = "ZeRO-\(stage)"
            return option
        }
        if var option = best(threeDimensional.map(step)) {
            option.name = "3D: " + option.name
            options.append(option)
        }
        if let option = best(plans.map(step)) { options.append(option) }
        return PlanReport("splitting a training over \(cluster.devices) devices", options)
    }
}
