/// Clusters whose nodes have network cards of different kinds, which reach each other by Ethernet
/// alone (Holmes, Yang et al. 2023) [193]: groups that add up gradients are placed within a kind, and
/// pipelines, which send little, go from one kind to another.
public struct MixedNetworks: TrainingQuestion, Equatable {
    /// Nodes with cards of one kind.
    public struct Part: Sendable, Codable, Equatable {
        /// Such as `infiniband` or `roce`.
        public var card: String
        /// Nodes.
        public var nodes: Int
        /// Bytes a second of a node's cards among their kind.
        public var bandwidth: Double

        /// So many nodes.
        public init(_ card: String, nodes: Int, bandwidth: Double) {
            (self.card, self.nodes, self.bandwidth) = (card, nodes, bandwidth)
        }
    }

    /// The parts.
    public var parts = [
        Part("infiniband", nodes: 4, bandwidth: 100e9), Part("roce", nodes: 4, bandwidth: 100e9),
    ]
    /// Bytes a second of a node's Ethernet, which all nodes share.
    public var ethernet = 3e9
    /// Devices of a node, which share each matrix.
    public var nodeDevices = 8
    /// Operations a second of a device, as products reach them.
    public var operations = 0.5 * 312e12
    /// What is trained.
    public var model = PlannedModel(layers: 36, hidden: 4096)
    /// Tokens of a step, and parts of it that go through the pipeline one behind the other.
    public var tokens = 1_572_864.0, rounds = 32.0

    /// Four nodes of two kinds each, with eight devices.
    public init() {}

    private var nodes: Int { parts.reduce(0) { $0 + $1.nodes } }
    /// The part of each node.
    private var owners: [Int] { parts.indices.flatMap { Array(repeating: $0, count: parts[$0].nodes) } }

    /// Bytes a second between nodes: their cards' where all are of one part, else Ethernet's.
    private func bandwidth(_ group: [Int]) -> Double {
        let owners = Set(group.map { self.owners[$0] })
        return owners.count == 1 ? parts[owners.first ?? 0].bandwidth : ethernet
    }

    /// Seconds of a step.
    ///
    /// - Parameter stages: the nodes of each, which add up their gradients; all of one number, with
    ///   as many layers each.
    func seconds(stages: [[Int]]) -> Double {
        let width = Double(stages[0].count)
        let depth = Double(stages.count)
        let compute = 6 * model.parameters * tokens / (width * depth * Double(nodeDevices)) / operations
        // A stage's stream goes to the node of the same number in the next stage, and back.
        let stream = 2 * model.streamBytes(tokens: tokens / width)
        let pass =
            zip(stages, stages.dropFirst()).map { from, to in
                zip(from, to).map { stream / bandwidth([$0, $1]) }.max() ?? 0
            }.max() ?? 0
        let bytes = 2 * model.parameters / depth
        let sums = stages.map { 2 * bytes * (width - 1) / width / bandwidth($0) }.max() ?? 0
        return max(compute, pass) * (rounds + depth - 1) / rounds + sums
    }

    /// Nodes dealt out to stages, whatever their cards are; and a part's nodes in stages of their own.
    func stages(_ depth: Int, isMapped: Bool) -> [[Int]] {
        let width = nodes / depth
        let order =
            isMapped
            ? Array(0..<nodes)
            : (0..<nodes).sorted { ($0 % depth, $0) < ($1 % depth, $1) }
        return (0..<depth).map { Array(order[$0 * width..<($0 + 1) * width]) }
    }

    /// The mapping, beside nodes dealt out and beside cards of the fastest kind in all nodes.
    ///
    /// - Throws: ``TrainingError`` if nodes do not make up as many stages as there are parts.
    public func report() throws -> PlanReport {
        try model.check()
        guard parts.count > 1, Set(parts.map(\.nodes)).count == 1, ethernet > 0, operations > 0, nodeDevices > 0,
            parts.allSatisfy({ $0.nodes > 0 && $0.bandwidth > 0 }), tokens >= 1, rounds >= 1
        else {
            throw TrainingError(
                .invalidSetting,
                "Mixed networks are planned for two parts or more with as many nodes each, and rates above 0.")
        }
        let depth = parts.count
        var same = self
        let fastest = parts.map(\.bandwidth).max() ?? ethernet
        // One part: every pair of nodes reaches each other by its cards.
        same.parts = [Part("one kind", nodes: nodes, bandwidth: fastest)]
        var ideal = PlannedOption(
            "one kind of cards",
            seconds: same.seconds(stages: stages(depth, isMapped: true)))
        ideal.obstacle = "is another cluster"
        return PlanReport(
            "pipelines and groups over " + parts.map { "\($0.nodes) nodes of \($0.card)" }.joined(separator: " and "),
            [
                ideal,
                PlannedOption(
                    "nodes dealt out",
                    seconds: seconds(stages: stages(depth, isMapped: false))),
                PlannedOption(
                    "groups within a kind",
                    seconds: seconds(stages: stages(depth, isMapped: true))),
            ])
    }
}
