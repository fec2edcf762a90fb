/// Training on one device with weights' state on disks: one thing behind the other, or everything
/// beside the backward pass, with as many of the layers' inputs swapped as costs the least (Fuyou,
/// Liao et al. 2024) [201].
public struct DiskOffload: TrainingQuestion, Equatable {
    /// What is trained.
    public var model = PlannedModel(layers: 40, hidden: 5120)
    /// Operations a second of the device, as products reach them: a consumer's card in half precision.
    public var operations = 165e12
    /// Bytes of the device's memory.
    public var memory = 24e9
    /// Bytes a second: of the link to the device each way, of the disks for reading and writing.
    public var link = 21e9, diskRead = 20e9, diskWrite = 20e9
    /// Parameters a second that the host's optimizer updates.
    public var hostRate = 1e9
    /// Bytes of the host's memory for layers' values.
    public var hostMemory = 128e9
    /// Tokens of a sequence.
    public var length = 1024.0
    /// Tokens of a step.
    public var tokens = 32_768.0

    /// Thirteen billion parameters, one card, twelve disks.
    public init() {}

    /// Seconds of a step if layers' inputs are swapped for a part of all layers' values and the rest is
    /// computed again.
    ///
    /// - Parameters:
    ///   - swapped: from 0, all computed again, to 1.
    ///   - overlaps: the optimizer and the disks work beside the backward pass.
    public func seconds(swapped: Double, overlaps: Bool) -> Double {
        let p = model.parameters
        let forward = work / 3 / operations
        // Sixteen streams a layer, of two bytes a number, are what a backward pass reads.
        let values = 16 * Double(model.layers) * model.streamBytes(tokens: tokens)
        let moved = values * swapped
        let onDisk = max(0, moved - hostMemory)
        let backward = 2 * forward + forward * (1 - swapped)
        let weights = 2 * p / link
        // State is read and written for each step: twelve bytes a parameter, and new weights.
        let (stateIn, stateOut) = (14 * p / diskRead, 14 * p / diskWrite)
        let update = p / hostRate
        let out = max(moved / link, onDisk / diskWrite)
        let back = max((moved + 2 * p) / link, onDisk / diskRead)
        guard overlaps else {
            return forward + weights + out + backward + max(weights, back) + stateIn + update + stateOut
        }
        let first = max(forward, weights, out, 2 * p / diskRead)
        let second = max(backward, back, stateIn + onDisk / diskRead, stateOut, update)
        return first + second
    }

    /// The best part of the values to swap, in twentieths.
    public func bestSwap() -> Double {
        (0...20).map { Double($0) / 20 }.min {
            seconds(swapped: $0, overlaps: true) < seconds(swapped: $1, overlaps: true)
        } ?? 0
    }

    /// Operations a second that count: those of a step without what is computed again.
    public func rate(seconds: Double) -> Double { work / seconds }

    private var work: Double { tokens / length * model.operations(tokens: length) }

    /// One behind the other as ZeRO-Infinity has it, side by side, and with the best part swapped.
    ///
    /// - Throws: ``TrainingError`` for rates that are not above 0.
    public func report() throws -> PlanReport {
        try model.check()
        guard tokens >= length, length >= 1, operations > 0, link > 0, diskRead > 0, diskWrite > 0, hostRate > 0 else {
            throw TrainingError(.invalidSetting, "A step has at least one sequence, and rates are above 0.")
        }
        let best = bestSwap()
        return PlanReport(
            "a step of \(Int(tokens)) tokens with its state on disks",
            [
                PlannedOption("one behind the other", seconds: seconds(swapped: 0, overlaps: false)),
                PlannedOption("side by side", seconds: seconds(swapped: 0, overlaps: true)),
                PlannedOption(
                    "side by side, \(Int(100 * best)) % swapped",
                    seconds: seconds(swapped: best, overlaps: true)),
            ])
    }
}
