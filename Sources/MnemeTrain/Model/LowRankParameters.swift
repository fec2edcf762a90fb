import MnemeBase
package import MnemeModels
package import MnemeNumerics

/// The shape of an adapter: which linear maps get a low-rank term, of which rank (LoRA, Hu et al.
/// 2021), and whether lengths of their rows are learned beside it (DoRA, Liu et al. 2024).
public struct AdapterShape: Sendable, Equatable, Codable {
    /// Rows of A and columns of B.
    public var rank = 8
    /// The term is multiplied by alpha / rank.
    public var alpha: Double = 16
    /// The maps, by PEFT's names; all seven of a layer by default.
    public var targets = LayerLinear.allCases.map(\.peftName)
    /// Rows of W + scale·B·A are given lengths that are learned, those of W at first; nil, as in plans of
    /// before there was a choice, is false.
    public var learnsMagnitudes: Bool?
    /// Procedures that are learned as tokens, in place of terms; nil for none.
    public var procedures: ProcedureShape?
    /// A network beside the model, in place of terms; nil for none.
    public var side: SideShape?

    /// All linear maps, of rank 8, alpha 16.
    public init() {}

    var scale: Float { Float(alpha / Double(rank)) }
}

extension LayerLinear {
    /// The module's name in PEFT's files and transformers.
    package var peftName: String {
        switch self {
        case .query: "q_proj"
        case .key: "k_proj"
        case .value: "v_proj"
        case .attentionOutput: "o_proj"
        case .gate: "gate_proj"
        case .up: "up_proj"
        case .down: "down_proj"
        }
    }

    /// The module's path within a layer.
    package var peftPath: String {
        switch self {
        case .query, .key, .value, .attentionOutput: "self_attn.\(peftName)"
        case .gate, .up, .down: "mlp.\(peftName)"
        }
    }
}

/// One term's place among the parameters: A[rank][inputs], then B transposed, [rank][outputs], then, where
/// they are learned, rows' lengths [outputs].
package struct LowRankSlot: Sendable, Equatable {
    package let layer: Int
    package let linear: LayerLinear
    package let inputs: Int
    package let outputs: Int
    package let rank: Int
    /// Offsets in floats.
    package let a: Int
    package let b: Int
    /// Of rows' lengths; nil for LoRA.
    package var magnitudes: Int?
    /// Where the map's rows begin in ``LowRankParameters/lengths``.
    var lengths = 0

    /// Behind its last parameter.
    package var end: Int { (magnitudes ?? b + (rank - 1) * outputs) + outputs }
}

/// The parameters, and their gradient: all terms in one run of floats each.
package final class LowRankParameters {
    package let slots: [LowRankSlot]
    package private(set) var values: AlignedBuffer<Float>
    package private(set) var gradients: AlignedBuffer<Float>
    /// ‖W + scale·B·A‖ of each row of the maps whose rows have lengths of their own, as the last
    /// forward pass found it. A constant for the gradient (section 4.3 of the paper).
    let lengths: AlignedBuffer<Float>
    /// Where numbers of a route's own begin, behind all terms: first those that are learned.
    package let extra: Int
    /// Of these, so many that are learned.
    package private(set) var extraLearned = 0
    /// True while the base is computed without any term.
    package var isOff = false
    private let places: [Int?]

    /// A is uniform in ±1/√inputs (PEFT's choice), B is zero: the adapter changes nothing at first.
    package convenience init(_ shape: AdapterShape, _ c: DecoderConfiguration, seed: UInt64) {
        self.init(shape, layers: c.layers, seed: seed) { $0.shape(c) }
    }

    /// The same for layers of any kind.
    ///
    /// - Parameter size: outputs and inputs of a map; nil for one that the layers do not have.
    package init(
        _ shape: AdapterShape, layers: Int, seed: UInt64,
        size: (LayerLinear) -> (outputs: Int, inputs: Int)?
    ) {
        var slots: [LowRankSlot] = []
        var places: [Int?] = []
        var (end, rows) = (0, 0)
        let isDoRA = shape.learnsMagnitudes == true
        for layer in 0..<layers {
            for linear in LayerLinear.allCases {
                guard shape.targets.contains(linear.peftName), let (outputs, inputs) = size(linear) else {
                    places.append(nil)
                    continue
                }
                let b = end + shape.rank * inputs
                places.append(slots.count)
                var slot = LowRankSlot(
                    layer: layer, linear: linear, inputs: inputs, outputs: outputs,
                    rank: shape.rank, a: end, b: b)
                if isDoRA {
                    (slot.magnitudes, slot.lengths) = (b + shape.rank * outputs, rows)
                    rows += outputs
                }
                slots.append(slot)
                end = slot.end
            }
        }
        self.slots = slots
        self.places = places
        extra = end
        values = AlignedBuffer(end)
        gradients = AlignedBuffer(end)
        lengths = AlignedBuffer(rows)
        var generator = SplitMix64(seed: seed)
        for slot in slots {
            let bound = 1 / Double(slot.inputs).squareRoot()
            for i in 0..<slot.rank * slot.inputs {
                values.pointer[slot.a + i] = Float((2 * generator.unit() - 1) * bound)
            }
        }
    }

    /// Floats of all terms, and of a route's own.
    package var count: Int { values.count }

    /// Makes room for a route's own numbers, all zero, before anything else holds the parameters' memory.
    ///
    /// - Parameters:
    ///   - learned: those that are learned.
    ///   - copies: others: so many layers' terms.
    func grow(learned: Int, copies: Int) {
        grow(learned: learned, others: copies * (slots.isEmpty ? 0 : range(of: slots[0].layer).count))
    }

    /// The same with so many other numbers.
    func grow(learned: Int, others: Int) {
        let all = AlignedBuffer<Float>(extra + learned + others)
        all.pointer.update(from: values.pointer, count: extra)
        (values, gradients, extraLearned) = (all, AlignedBuffer(all.count), learned)
    }

    /// Where a layer's terms lie.
    func range(of layer: Int) -> Range<Int> {
        let first = slots.first { $0.layer >= layer }?.a ?? extra
        return first..<(slots.first { $0.layer > layer }?.a ?? extra)
    }

    func slot(_ layer: Int, _ linear: LayerLinear) -> LowRankSlot? {
        guard !isOff else { return nil }
        let place = layer * LayerLinear.allCases.count + LayerLinear.allCases.firstIndex(of: linear)!
        return places[place].map { slots[$0] }
    }

    /// Zeros, before the batches of a step add theirs.
    package func clearGradients() { gradients.pointer.update(repeating: 0, count: count) }
}
