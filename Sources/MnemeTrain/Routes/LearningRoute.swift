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
        /// TokMem: through all layers, to the embeddings of tokens that stand for procedures.
        case tokens
        /// QST: in a narrow network beside the model, through which no gradient goes.
        case side

        /// What the number behind a name may be, and is if left out; nil for names without one.
        var numbers: (range: ClosedRange<Int>, usual: Int)? {
            switch self {
            case .backprop: nil
            case .tokens: (1...ProcedureTokens.mostTokens, 1)
            case .side: (2...256, 16)
            default: (2...256, 4)
            }
        }
    }

    /// The route.
    public let kind: Kind
    /// The number behind the name: blocks of layers, tokens of a procedure, or how much narrower a side network is;
    /// 1 where there is none.
    public let blocks: Int

    /// The highest learning rate where none is named: few numbers far from the loss take larger steps.
    public var usualRate: Double {
        switch kind {
        case .tokens: 2e-2
        case .side: 1e-2
        default: TrainingSettings().learningRate
        }
    }

    /// Steps where no number is named.
    ///
    /// - Parameter batches: of a pass over the examples.
    func usualSteps(_ batches: Int) -> Int { kind == .tokens ? max(120, 20 * batches) : max(60, 5 * batches) }

    /// Through all layers.
    public static let backprop = LearningRoute(kind: .backprop, blocks: 1)

    /// The name with its number, as ``init(_:)`` takes it.
    public var text: String { kind == .backprop ? kind.rawValue : "\(kind.rawValue):\(blocks)" }

    private init(kind: Kind, blocks: Int) { (self.kind, self.blocks) = (kind, blocks) }

    /// - Parameter text: a name, with `:` and a number if it has one: blocks from 2 to 256, else 4; tokens of a
    ///   procedure from 1 to 16, else 1; the part of the model's width from 2 to 256, else 16.
    /// - Throws: ``TrainingError`` for others.
    public init(_ text: String) throws {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = Kind(rawValue: String(parts.first ?? "")) else {
            throw TrainingError(
                .invalidSetting,
                "'\(text.prefix(40))' is no route; they are \(Self.names).")
        }
        var blocks = kind.numbers?.usual ?? 1
        if parts.count > 1 {
            let range = kind.numbers?.range
            guard let given = Int(parts[1]), range?.contains(given) == true else {
                let may = range.map { "a number from \($0.lowerBound) to \($0.upperBound)" } ?? "no number"
                throw TrainingError(
                    .invalidSetting, "'\(text.prefix(40))' is no route: behind \(kind.rawValue) stands \(may).")
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

    /// Room for procedures' rows behind the terms; nil on other routes.
    ///
    /// - Throws: ``TrainingError`` if the shape has procedures on another route, or none on this one.
    func procedures(
        _ shape: AdapterShape, _ c: DecoderConfiguration, _ parameters: LowRankParameters
    ) throws -> ProcedureRows? {
        guard (kind == .tokens) == (shape.procedures != nil) else {
            throw TrainingError(
                .invalidSetting, "The route \(Kind.tokens.rawValue) learns procedures, and others learn none.")
        }
        guard let procedures = shape.procedures else { return nil }
        let floats = ProcedureRows.floats(procedures, c)
        parameters.grow(learned: floats.learned, others: floats.others)
        return ProcedureRows(procedures, c, parameters)
    }

    /// Room for a side network behind the terms; nil on other routes.
    ///
    /// - Throws: ``TrainingError`` if the shape has one on another route, or none on this one.
    func side(_ shape: AdapterShape, _ c: DecoderConfiguration, _ parameters: LowRankParameters) throws -> SideSizes? {
        guard (kind == .side) == (shape.side != nil) else {
            throw TrainingError(
                .invalidSetting, "The route \(Kind.side.rawValue) learns a side network, and others learn none.")
        }
        let sizes = shape.side?.sizes(c)
        if let sizes { parameters.grow(learned: sizes.count, others: 0) }
        return sizes
    }

    func make(
        _ sizes: LayerSizes, _ parameters: LowRankParameters,
        beside: (procedures: ProcedureRows?, side: SideRows?), arena: TrainingArena
    ) -> any GradientRoute {
        let c = sizes.configuration
        func carry() -> AlignedBuffer<Float> { arena.make(sizes.rows * c.hiddenSize, .saved) }
        switch kind {
        case .backprop: return Backpropagation(layers: c.layers)
        case .tokens: return LearnedTokens(layers: c.layers, beside.procedures)
        case .side: return SideTuning(beside.side)
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
