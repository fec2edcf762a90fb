/// Devices and the links between them, from inside outwards: such as two halves of a package, four
/// packages of a node, many nodes.
public struct PlannedCluster: Sendable, Codable, Equatable {
    /// A level of links.
    public struct Level: Sendable, Codable, Equatable {
        /// What it joins: `node`, …
        public var name: String
        /// Members of the level below that it joins.
        public var members: Int
        /// Bytes a second that each device can send while all do.
        public var bandwidth: Double
        /// Seconds until a message's first byte.
        public var latency: Double

        /// A level with so many members.
        public init(_ name: String, members: Int, bandwidth: Double, latency: Double = 5e-6) {
            (self.name, self.members) = (name, members)
            (self.bandwidth, self.latency) = (bandwidth, latency)
        }
    }

    /// From inside outwards.
    public var levels: [Level]
    /// Operations a second of a device, as matrix products reach them.
    public var operations: Double
    /// Bytes of a device's memory.
    public var memory: Double
    /// The part of the computing time beside which weights are gathered; 0 hides nothing.
    public var overlap = 0.0

    /// Devices of one kind.
    public init(levels: [Level], operations: Double, memory: Double) {
        (self.levels, self.operations, self.memory) = (levels, operations, memory)
    }

    /// All devices.
    public var devices: Int { devices(to: levels.count) }

    /// Devices of a group that spans so many levels; 1 for none.
    public func devices(to count: Int) -> Int { levels.prefix(count).reduce(1) { $0 * $1.members } }

    /// Seconds in which a group that spans so many levels gathers a tensor of which each has a part,
    /// or adds tensors up so that each has a part of the sum: the outermost link is the narrowest.
    public func gather(_ bytes: Double, levels count: Int) -> Double {
        guard count > 0 else { return 0 }
        let n = Double(devices(to: count))
        let link = levels[count - 1]
        return n > 1 ? bytes * (n - 1) / n / link.bandwidth + (n - 1) * link.latency : 0
    }

    /// - Throws: ``TrainingError``.
    public func check() throws {
        guard !levels.isEmpty, operations > 0, memory > 0, (0...1).contains(overlap),
            levels.allSatisfy({ $0.members > 0 && $0.bandwidth > 0 && $0.latency >= 0 }), devices <= 1 << 20
        else {
            throw TrainingError(
                .invalidSetting,
                "A cluster needs levels, members, bandwidths, operations and memory above 0, and an overlap from 0 to 1."
            )
        }
    }

    /// Frontier's nodes: two dies a package, four packages a node (Dash et al. 2023).
    public static func frontier(nodes: Int) -> PlannedCluster {
        PlannedCluster(
            levels: [
                Level("package", members: 2, bandwidth: 200e9),
                Level("node", members: 4, bandwidth: 50e9),
                Level("cluster", members: nodes, bandwidth: 12.5e9, latency: 10e-6),
            ], operations: 0.4 * 191.5e12, memory: 64e9)
    }

    /// Nodes of eight A100 with NVLink, and 200 Gbit/s a device between nodes.
    public static func a100(nodes: Int) -> PlannedCluster {
        PlannedCluster(
            levels: [
                Level("node", members: 8, bandwidth: 300e9),
                Level("cluster", members: nodes, bandwidth: 25e9, latency: 10e-6),
            ], operations: 0.5 * 312e12, memory: 80e9)
    }
}
