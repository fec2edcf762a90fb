import MnemeModels
import MnemeNumerics

/// How gradients are found, by the names that commands use: a name, or a name and a number of blocks,
/// such as `auglocal:4`.
public struct LearningRoute: Sendable, Equatable, Codable {
    /// The routes' names.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// Through all layers.
        case backprop
        /// In blocks, each with the model's output as its own.
        case local
        /// AugLocal: in blocks, each with some of the later layers before the output.
        case auglocal
        /// MAN: in blocks, each with a moving average of the next one's first layer before the output.
        case man
        /// tpSGD: in blocks, whose outputs are to be near random signs of the token to predict.
        case targets
    }

    /// The route.
    public let kind: Kind
    /// Blocks of layers; 1 where there are none.
    public let blocks: Int

    /// Through all layers.
    public static let backprop = LearningRoute(kind: .backprop, blocks: 1)

    /// The name with its number, as ``init(_:)`` takes it.
    public var text: String { kind == .backprop ? kind.rawValue : "\(kind.rawValue):\(blocks)" }

    private init(kind: Kind, blocks: Int) { (self.kind, self.blocks) = (kind, blocks) }

    /// - Parameter text: a name, with `:` and a number of blocks from 2 to 256 if it has some; else 4.
    /// - Throws: ``TrainingError`` for others.
    public init(_ text: String) throws {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = Kind(rawValue: String(parts.first ?? "")) else {
            throw TrainingError(
                .invalidSetting,
                "'\(text.prefix(40))' is no route; they are \(Self.names).")
        }
        var blocks = kind == .backprop ? 1 : 4
        if parts.count > 1 {
            guard kind != .backprop, let given = Int(parts[1]), (2...256).contains(given) else {
                throw TrainingError(
                    .invalidSetting,
                    "'\(text.prefix(40))' is not a name with a number of blocks from 2 to 256 behind it.")
            }
            blocks = given
        }
        self.init(kind: kind, blocks: blocks)
    }

    /// All names, as a sentence has them.
    public static var names: String { Kind.allCases.map(\.rawValue).joined(separator: ", ") }

    /// Where the route's own numbers lie behind the terms; nil if it has none.
    func layout(_ c: DecoderConfiguration) -> MomentumBlocks.Layout? {
        kind == .man ? MomentumBlocks.Layout(count: blocks, c) : nil
    }

    func make(_ sizes: LayerSizes, _ parameters: LowRankParameters, arena: TrainingArena) -> any GradientRoute {
        let c = sizes.configuration
        func carry() -> AlignedBuffer<Float> { arena.make(sizes.rows * c.hiddenSize, .saved) }
        switch kind {
        case .backprop: return Backpropagation(layers: c.layers)
        case .local, .auglocal:
            return LocalBlocks(
                LocalBlocks.blocks(layers: c.layers, count: blocks, isAugmented: kind == .auglocal),
                carry: carry())
        case .targets:
            return TargetProjection(layers: c.layers, count: blocks, carry: carry())
        case .man:
            return MomentumBlocks(MomentumBlocks.Layout(count: blocks, c), carry: carry(), parameters)
        }
    }
}
