/// Which groups of parameters are updated by the host and which by the device, where the optimizer's
/// state lives in the host's memory (Deep Optimizer States, Maurya et al. 2024) [181].
///
/// Every k-th group goes to the device: its state is sent there while the host updates others, and
/// back behind its update. Which k is best follows from the rates. The sums are the same whoever
/// does them.
public struct OptimizerInterleaving: TrainingQuestion, Equatable {
    /// Groups of equal size.
    public var groups = 100
    /// Parameters of a group.
    public var groupParameters = 1e8
    /// Parameters a second that the host updates, and the device.
    public var hostRate = 1.5e9, deviceRate = 3e10
    /// Bytes a second of the link, each way.
    public var link = 25e9
    /// Groups for which the device has room that is idle during the update.
    public var room = 4

    /// A model of ten billion parameters on a host that updates 1.5 billion a second.
    public init() {}

    /// Bytes a parameter on its way to the device: weight, two moments and the gradient in 4 bytes
    /// each; on its way back the first three.
    static let inBytes = 16.0, outBytes = 12.0

    /// Seconds of all updates if every `k`-th group goes to the device; nil for none of them.
    public func seconds(every k: Int?) -> Double {
        let host = groupParameters / hostRate
        let device = groupParameters / deviceRate
        let (inTime, outTime) = (Self.inBytes * groupParameters / link, Self.outBytes * groupParameters / link)
        // Two bytes of a new weight go to the device for each group of the host's.
        let halfTime = 2 * groupParameters / link
        var (hostFree, inFree, deviceFree, outFree) = (0.0, 0.0, 0.0, 0.0)
        var ends: [Double] = []
        for group in 0..<groups {
            guard let k, group % k == k - 1 else {
                hostFree += host
                inFree = max(inFree, hostFree) + halfTime
                continue
            }
            // Room is free when the group that had it has gone back.
            let free = ends.count >= room ? ends[ends.count - room] : 0
            inFree = max(inFree, free) + inTime
            deviceFree = max(deviceFree, inFree) + device
            outFree = max(outFree, deviceFree) + outTime
            ends.append(outFree)
        }
        return max(hostFree, inFree, outFree)
    }

    /// The k whose updates take the least time; nil if that is the host alone.
    public var best: Int? {
        let all: [Int?] = [nil] + (1...max(1, groups)).map { $0 }
        return all.min { seconds(every: $0) < seconds(every: $1) } ?? nil
    }

    /// Both, beside the device alone.
    ///
    /// - Throws: ``TrainingError`` for rates that are not above 0.
    public func report() throws -> PlanReport {
        guard (1...10_000).contains(groups), room > 0, groupParameters > 0, hostRate > 0, deviceRate > 0, link > 0
        else {
            throw TrainingError(.invalidSetting, "There are 1 to 10000 groups, and rates and the link are above 0.")
        }
        var options = [
            PlannedOption("host alone", seconds: seconds(every: nil)),
            PlannedOption("device alone, all sent", seconds: seconds(every: 1)),
        ]
        if let best, best > 1 {
            options.append(PlannedOption("every \(best). group on the device", seconds: seconds(every: best)))
        }
        return PlanReport("updates of \(groups) groups of \(Int(groupParameters)) parameters", options)
    }
}
