import MnemeBase

/// What sequences of different lengths cost on groups of devices that share them.
public struct SequenceCost: Sendable, Codable, Equatable {
    /// What is trained.
    public var model = PlannedModel(layers: 32, hidden: 4096)
    /// Devices, of which neighbours make groups.
    public var cluster = PlannedCluster.a100(nodes: 4)
    /// Tokens whose values fit into a device's memory.
    public var deviceTokens = 8192.0

    /// Seven billion parameters on 32 devices.
    public init() {}

    /// - Throws: ``TrainingError`` for descriptions that are out of range, and sequences of no token.
    func check(_ lengths: [Double]) throws {
        try model.check()
        try cluster.check()
        guard deviceTokens >= 1, !lengths.isEmpty, lengths.allSatisfy({ $0 >= 1 && $0 < 1e9 }) else {
            throw TrainingError(
                .invalidSetting, "Sequences have at least one token, and a device has room for at least one.")
        }
    }

    /// Devices that a sequence needs at least.
    func least(_ length: Double) -> Int { max(1, Int((length / deviceTokens).rounded(.up))) }

    /// Bytes that a device of a group sends for a sequence: keys and values go around the group's
    /// ring once in the forward pass, and with their gradients in the backward pass.
    func sent(_ length: Double, devices: Int) -> Double {
        guard devices > 1 else { return 0 }
        let part =
            model.streamBytes(tokens: length) / Double(devices)
            * Double(model.keyValueHeads) / Double(model.heads)
        return Double(model.layers) * 2 * part * 3 * Double(devices - 1)
    }

    /// Seconds of a sequence on a group.
    func seconds(_ length: Double, devices: Int) -> Double {
        let compute = model.operations(tokens: length) / Double(devices) / cluster.operations
        // The narrowest link that the group's ring goes over.
        let level = cluster.levels.indices.first { cluster.devices(to: $0 + 1) >= devices }
        let link = cluster.levels[level ?? cluster.levels.count - 1]
        return compute + sent(length, devices: devices) / link.bandwidth
    }

    /// Lengths of a log-normal distribution with a long tail, the same for the same seed: most of
    /// some hundred tokens, a few of the longest.
    public static func longTail(count: Int, longest: Double, seed: UInt64) -> [Double] {
        var generator = SplitMix64(seed: SplitMix64.mixed(seed))
        return (0..<count).map { _ in
            let normal = (0..<12).reduce(-6.0) { sum, _ in sum + generator.unit() }
            return min(longest, max(16, 1000 * power(5, normal))).rounded()
        }
    }
}

/// Groups of devices, each with the sequences that it computes one behind the other.
public struct SequenceGroups: Sendable, Equatable {
    /// Devices of each group.
    public internal(set) var sizes: [Int]
    /// Seconds of each group.
    public internal(set) var seconds: [Double]
    /// Bytes that all devices send.
    public internal(set) var sentBytes = 0.0

    /// Seconds until the last group is done.
    public var step: Double { seconds.max() ?? 0 }
    /// The part of the devices' time in which they wait for others.
    public var idle: Double {
        let all = Double(sizes.reduce(0, +)) * step
        return all > 0 ? 1 - zip(sizes, seconds).reduce(0) { $0 + Double($1.0) * $1.1 } / all : 0
    }

    /// Gives each sequence, the longest first, to the group that would be done with it first.
    ///
    /// - Returns: nil if a sequence fits into none.
    init?(_ sizes: [Int], _ lengths: [Double], _ cost: SequenceCost) {
        (self.sizes, seconds) = (sizes, sizes.map { _ in 0 })
        for length in lengths.sorted(by: >) {
            let least = cost.least(length)
            var best: (group: Int, end: Double)?
            for (group, size) in sizes.enumerated() where size >= least {
                let end = seconds[group] + cost.seconds(length, devices: size)
                if best.map({ end < $0.end }) ?? true { best = (group, end) }
            }
            guard let best else { return nil }
            seconds[best.group] = best.end
            sentBytes += cost.sent(length, devices: sizes[best.group]) * Double(sizes[best.group])
        }
    }

    func option(_ name: String) -> PlannedOption {
        var option = PlannedOption(name, seconds: step)
        option.sentBytes = sentBytes
        return option
    }
}
