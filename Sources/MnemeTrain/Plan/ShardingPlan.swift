/// How a model's weights, gradients, optimizer's state and sequences are split over a cluster
/// (ZeRO, Rajbhandari et al. 2020 [42]; the levels of InternEvo, Chen et al. 2024 [128]).
///
/// Each is split over a group of neighbours that spans so many levels of the cluster: 0 keeps it
/// whole on each device, all levels split it over all devices.
public struct ShardingPlan: Sendable, Hashable, Codable {
    /// Levels over which weights are split.
    public var weights = 0
    /// Levels over which gradients are split: at least the weights'.
    public var gradients = 0
    /// Levels over which the optimizer's state is split: at least the gradients'.
    public var optimizer = 0
    /// Levels over which a second copy of the weights is split, for the backward pass; nil for none.
    public var second: Int?
    /// Levels over which a sequence is split.
    public var sequence = 0
    /// Levels over which each matrix is split, and computed so.
    public var tensor = 0
    /// Parts of the depth, one behind the other.
    public var pipeline = 1
    /// Bits of weights and of gradients on their way between devices.
    public var weightBits = 16.0, gradientBits = 16.0

    /// All on each device.
    public init() {}

    /// Split the same way over all levels: stage 1 the state, 2 the gradients too, 3 the weights too.
    public static func zero(stage: Int, _ cluster: PlannedCluster) -> ShardingPlan {
        var plan = ShardingPlan()
        let all = cluster.levels.count
        plan.optimizer = all
        if stage > 1 { plan.gradients = all }
        if stage > 2 { plan.weights = all }
        return plan
    }

    /// In a few words.
    public func text(_ cluster: PlannedCluster) -> String {
        func over(_ level: Int) -> String { "\(cluster.devices(to: level))" }
        var parts = ["weights/\(over(weights))", "gradients/\(over(gradients))", "state/\(over(optimizer))"]
        if let second { parts.append("second copy/\(over(second))") }
        if sequence > 0 { parts.append("sequence/\(over(sequence))") }
        if tensor > 0 { parts.append("tensor/\(over(tensor))") }
        if pipeline > 1 { parts.append("pipeline/\(pipeline)") }
        if weightBits < 16 { parts.append("\(Int(weightBits)) bits") }
        return parts.joined(separator: " ")
    }

    /// Bytes of weights, gradients and state on a device: 2, 2 and 12 a parameter, as with Adam in
    /// mixed precision (ZeRO's formula).
    public func stateBytes(_ model: PlannedModel, _ cluster: PlannedCluster) -> Double {
        let p = model.parameters / Double(cluster.devices(to: tensor) * pipeline)
        func part(_ level: Int) -> Double { Double(cluster.devices(to: level)) }
        // With matrices or depth split, groups are of the devices that hold the same part.
        let copies = Double(cluster.devices) / Double(cluster.devices(to: tensor) * pipeline)
        let state = tensor > 0 || pipeline > 1 ? (optimizer > 0 ? copies : 1) : part(optimizer)
        return p * (2 / part(weights) + 2 / part(gradients) + 12 / state)
            + p * (second.map { weightBits / 8 / part($0) } ?? 0)
    }

    /// A step over so many tokens of all devices, in sequences of one length.
    ///
    /// Each replica computes one sequence at a time and adds its gradient up.
    public func step(
        _ model: PlannedModel, _ cluster: PlannedCluster, length: Double, tokens: Double
    ) -> PlannedOption {
        let sharing = Double(cluster.devices(to: sequence) * cluster.devices(to: tensor) * pipeline)
        let replicas = Double(cluster.devices) / sharing
        let rounds = max(1, (tokens / (replicas * length)).rounded(.up))
        let p = model.parameters / Double(cluster.devices(to: tensor) * pipeline)
        let (w, g) = (p * weightBits / 8, p * gradientBits / 8)
        let compute = model.operations(tokens: length) / sharing / cluster.operations
        let weightTime = cluster.gather(w, levels: weights) + cluster.gather(w, levels: second ?? weights)
        var exchange = max(0, weightTime - cluster.overlap * compute)
        exchange += cluster.gather(g, levels: gradients)
        let stream = model.streamBytes(tokens: length)
        // Four exchanges of queries, keys, values and outputs a layer and pass; matrices add up four.
        exchange +=
            Double(model.layers) * 8
            * cluster.gather(
                stream / Double(cluster.devices(to: sequence)), levels: sequence)
        exchange += Double(model.layers) / Double(pipeline) * 8 * cluster.gather(stream, levels: tensor)
        // A pipeline's first and last rounds leave parts of it idle.
        let filled = (rounds + Double(pipeline) - 1) / rounds
        let top = cluster.levels.count
        // What is not added up over all yet is once a step, and new weights come back from the state's parts.
        var once = 0.0
        if gradients < top { once += cluster.gather(g / Double(cluster.devices(to: gradients)), levels: top) }
        let isApart = optimizer > weights || gradients < top
        if isApart { once += cluster.gather(w / Double(cluster.devices(to: weights)), levels: top) }
        var option = PlannedOption(
            text(cluster), seconds: rounds * (compute + exchange) * filled + once)
        // Each layer's input is kept, and some twenty streams' worth of one layer's values.
        let kept =
            (Double(model.layers) / Double(pipeline) + 20) * stream
            / Double(cluster.devices(to: sequence) * cluster.devices(to: tensor))
        let held = stateBytes(model, cluster) + kept
        option.memoryBytes = held
        if held > cluster.memory { option.obstacle = "needs more memory than a device has" }
        return option
    }
}
