/// How several processes share a training (ZeRO, Rajbhandari et al. 2020) [42]: each learns from its own
/// sequences of a batch, and has a part of what need not be on all.
public struct RankSettings: Sendable, Equatable, Codable {
    /// How a batch is divided.
    public enum Split: String, Sendable, Codable, CaseIterable {
        /// Each process has its own sequences.
        case sequences
        /// Each has a part of every sequence; attention goes from one to the next (BurstAttention) [157].
        case tokens
    }

    /// Processes.
    public let count: Int
    /// 1: the optimizer's state is split. 2: gradients, too. 3: parameters, too.
    public let stage: Int
    /// How a batch is divided; nil, as in checkpoints of before there was a choice, by sequences.
    public let splits: Split?
    /// The state is kept in the memory of as many keepers as there are processes, of which so many may be lost
    /// (in-memory fault tolerance, Hu et al. 2023) [220]; nil keeps none.
    public let parity: Int?

    /// - Throws: ``TrainingError`` for less than 2 or more than 16 processes, other stages, and for parity that
    ///   leaves no keeper.
    public init(count: Int, stage: Int, splits: Split? = nil, parity: Int? = nil) throws {
        guard (2...16).contains(count), (1...3).contains(stage) else {
            throw TrainingError(
                .invalidSetting, "A training is shared by 2 to 16 processes, in stage 1, 2 or 3.")
        }
        guard parity.map({ (1..<count).contains($0) }) ?? true else {
            throw TrainingError(
                .invalidSetting, "Of \(count) keepers 1 to \(count - 1) may be lost, not \(parity ?? 0).")
        }
        (self.count, self.stage, self.splits, self.parity) = (count, stage, splits, parity)
    }

    /// Bytes of parameters, gradients and optimizer's state on the rank that has the most, as ZeRO's
    /// formula has them, and one layer's for what comes and goes.
    ///
    /// - Parameters:
    ///   - parameters: of all ranks.
    ///   - layer: of a layer, which is whole while it is computed.
    ///   - state: bytes of state a parameter.
    public func bytes(parameters: Int, layer: Int, state: Double) -> (parameters: Int, gradients: Int, state: Int) {
        let part = (parameters + count - 1) / count
        return (
            4 * (stage > 2 ? part + layer : parameters), 4 * (stage > 1 ? part + layer : parameters),
            Int((Double(part) * state).rounded(.up))
        )
    }
}
