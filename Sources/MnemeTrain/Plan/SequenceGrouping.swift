/// Which groups of devices share sequences of different lengths in a step (FlexSP, Wang et al. 2024
/// [195]): all ways to cut the devices into groups of powers of two are tried, equal ones among them.
///
/// The paper solves a linear program; the number of such cuts of some hundred devices is small
/// enough to look at each, with the longest sequences given out first.
public struct SequenceGrouping: TrainingQuestion, Equatable {
    /// What sequences cost.
    public var cost = SequenceCost()
    /// Their tokens.
    public var lengths = SequenceCost.longTail(count: 256, longest: 131_072, seed: 1)

    /// 256 sequences with a long tail on 32 devices.
    public init() {}

    /// Most devices whose cuts are all tried.
    public static let mostDevices = 64

    /// The best groups.
    ///
    /// - Throws: ``TrainingError`` if a sequence fits into no group, or devices are too many.
    public func solve() throws -> SequenceGroups {
        try cost.check(lengths)
        let devices = cost.cluster.devices
        guard devices <= Self.mostDevices, devices & (devices - 1) == 0 else {
            throw TrainingError(
                .invalidSetting, "Groups are planned for a power of two of devices, at most \(Self.mostDevices).")
        }
        let found = Self.cuts(of: devices, largest: devices).compactMap {
            SequenceGroups($0, lengths, cost)
        }
        guard let best = found.min(by: { $0.step < $1.step }) else { throw Self.tooLong }
        return best
    }

    static let tooLong = TrainingError(
        .invalidSetting, "A sequence fits into the memory of no group. Name shorter ones, or more devices.")

    /// Powers of two that make up a number, the largest first.
    static func cuts(of devices: Int, largest: Int) -> [[Int]] {
        guard devices > 0 else { return [[]] }
        var all: [[Int]] = []
        var size = largest
        while size > 0 {
            if size <= devices {
                all += cuts(of: devices - size, largest: size).map { [size] + $0 }
            }
            size /= 2
        }
        return all
    }

    /// The best groups beside each way to have equal ones.
    ///
    /// - Throws: what ``solve()`` throws.
    public func report() throws -> PlanReport {
        let best = try solve()
        var options: [PlannedOption] = []
        var size = 1
        while size <= cost.cluster.devices {
            let equal = Array(repeating: size, count: cost.cluster.devices / size)
            if let groups = SequenceGroups(equal, lengths, cost) {
                options.append(groups.option("groups of \(size)"))
            }
            size *= 2
        }
        options.append(best.option("groups of " + best.sizes.map(String.init).joined(separator: ", ")))
        return PlanReport("groups of devices for \(lengths.count) sequences", options)
    }
}
