/// Which values of the forward pass are kept for the gradient, by the names that commands use: a
/// name, or a name and a part, such as `wtacrs:0.3`.
public struct SavedTensors: Sendable, Equatable, Codable {
    /// The policies' names.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// All values of all layers.
        case none
        /// Each layer's input; the rest is computed again.
        case checkpoint
        /// MEMO: the values of a part of the tokens go to a file; the others' are computed again.
        case tokenswap
        /// WTA-CRS: a part of the rows that gradients are summed over.
        case wtacrs
        /// Mixture of channels: a part of the gate's channels, used and kept.
        case topchannels
        /// S2A: the feed-forward's derivatives in four bits.
        case derivatives4

        /// The part if none is given; nil for policies without one.
        public var defaultShare: Double? {
            switch self {
            case .none, .checkpoint, .derivatives4: nil
            case .tokenswap: 0.5
            case .wtacrs: 0.3
            case .topchannels: 0.5
            }
        }
    }

    /// The policy.
    public let kind: Kind
    /// The part of tokens, rows or channels; 1 where the policy has none.
    public let share: Double

    /// Each layer's input.
    public static let checkpoint = SavedTensors(kind: .checkpoint, share: 1)

    /// The name with its part, as ``init(_:)`` takes it.
    public var text: String { kind.defaultShare == nil ? kind.rawValue : "\(kind.rawValue):\(share)" }

    private init(kind: Kind, share: Double) { (self.kind, self.share) = (kind, share) }

    /// - Parameter text: a name, with `:` and a part above 0 and at most 1 if the policy has one.
    /// - Throws: ``TrainingError`` for others.
    public init(_ text: String) throws {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = Kind(rawValue: String(parts.first ?? "")) else {
            throw TrainingError(
                .invalidSetting,
                "'\(text.prefix(40))' is no way to save tensors; they are \(Self.names).")
        }
        var share = kind.defaultShare ?? 1
        if parts.count > 1 {
            guard kind.defaultShare != nil else {
                throw TrainingError(.invalidSetting, "'\(kind.rawValue)' takes no part.")
            }
            guard let given = Double(parts[1]), given > 0, given <= 1 else {
                throw TrainingError(
                    .invalidSetting,
                    "The part in '\(text.prefix(40))' is not a number above 0 and at most 1.")
            }
            share = given
        }
        self.init(kind: kind, share: share)
    }

    /// All names, as a sentence has them.
    public static var names: String { Kind.allCases.map(\.rawValue).joined(separator: ", ") }

    /// - Throws: `FileError` if a file that it needs cannot be made.
    func make(_ plan: SavedTensorPlan) throws -> any SavedTensorPolicy {
        switch kind {
        case .none: KeepAll(plan)
        case .checkpoint: Checkpointing(plan)
        case .tokenswap: try TokenSwap(plan)
        case .wtacrs: WinnerTakeAll(plan)
        case .topchannels: TopChannels(plan)
        case .derivatives4: DerivativeCodes(plan)
        }
    }
}
