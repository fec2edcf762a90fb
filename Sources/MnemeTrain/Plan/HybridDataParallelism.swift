/// Devices that form other groups for each sequence (ByteScale, Ge et al. 2025 [44]): a sequence goes to
/// as many neighbours as it needs and to no more, so that short ones send nothing; those that are free
/// the earliest take the next one.
public struct HybridDataParallelism: TrainingQuestion, Equatable {
    /// What sequences cost.
    public var cost = SequenceCost()
    /// Their tokens.
    public var lengths = SequenceCost.longTail(count: 256, longest: 131_072, seed: 1)

    /// 256 sequences with a long tail on 32 devices.
    public init() {}

    /// A step, with what each device does.
    public struct Plan: Sendable, Equatable {
        /// Seconds until each device is done.
        public internal(set) var seconds: [Double]
        /// Of these, seconds in which it computes or sends.
        public internal(set) var busy: [Double]
        /// Bytes that all devices send.
        public internal(set) var sentBytes = 0.0

        /// Seconds of the step.
        public var step: Double { seconds.max() ?? 0 }
        /// The part of the devices' time in which they wait.
        public var idle: Double { step > 0 ? 1 - busy.reduce(0, +) / (step * Double(busy.count)) : 0 }
    }

    /// Gives out sequences, the ones that cost a device most first.
    ///
    /// - Throws: ``TrainingError`` if one does not fit into all devices together.
    public func plan() throws -> Plan {
        try cost.check(lengths)
        let n = cost.cluster.devices
        guard lengths.allSatisfy({ cost.least($0) <= n }) else { throw SequenceGrouping.tooLong }
        var plan = Plan(seconds: Array(repeating: 0, count: n), busy: Array(repeating: 0, count: n))
        for length in lengths.sorted(by: >) {
            let size = cost.least(length)
            // The run of neighbours that is free the earliest; all of them wait for the last.
            var best = (start: 0, free: Double.infinity)
            for start in 0...n - size {
                let free = plan.seconds[start..<start + size].max() ?? 0
                if free < best.free { best = (start, free) }
            }
            let time = cost.seconds(length, devices: size)
            for device in best.start..<best.start + size {
                plan.seconds[device] = best.free + time
                plan.busy[device] += time
            }
            plan.sentBytes += cost.sent(length, devices: size) * Double(size)
        }
        return plan
    }

    /// The plan beside the static mesh that has room for the longest sequence.
    ///
    /// - Throws: what ``plan()`` throws.
    public func report() throws -> PlanReport {
        let dynamic = try plan()
        let least = lengths.map(cost.least).max() ?? 1
        // A mesh has groups of equal size: the first divisor of all devices that is enough.
        let n = cost.cluster.devices
        let size = (least...n).first { n % $0 == 0 } ?? n
        guard let mesh = SequenceGroups(Array(repeating: size, count: n / size), lengths, cost) else {
            throw SequenceGrouping.tooLong
        }
        var option = PlannedOption("a group for each sequence", seconds: dynamic.step)
        option.sentBytes = dynamic.sentBytes
        return PlanReport(
            "devices for \(lengths.count) sequences", [mesh.option("a mesh of groups of \(size)"), option])
    }
}
