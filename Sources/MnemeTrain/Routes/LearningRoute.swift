import MnemeModels

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

    func make(_ sizes: LayerSizes, layers: Int, arena: TrainingArena) -> any GradientRoute {
        switch kind {
        case .backprop: Backpropagation(layers: layers)
        case .local, .auglocal:
            LocalBlocks(
                LocalBlocks.blocks(layers: layers, count: blocks, isAugmented: kind == .auglocal),
                carry: arena.make(sizes.rows * sizes.configuration.hiddenSize, .saved))
        }
    }
}
