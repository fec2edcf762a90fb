import MnemeBase
package import MnemeModels
package import MnemeNumerics

/// The shape of an adapter: which linear maps get a low-rank term, of which rank (LoRA, Hu et al.
/// 2021).
public struct AdapterShape: Sendable, Equatable, Codable {
    /// Rows of A and columns of B.
    public var rank = 8
    /// The term is multiplied by alpha / rank.
    public var alpha: Double = 16
    /// The maps, by PEFT's names; all seven of a layer by default.
    public var targets = LayerLinear.allCases.map(\.peftName)

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

/// One low-rank term's place among the parameters: A[rank][inputs], then B transposed,
/// [rank][outputs].
package struct LowRankSlot: Sendable, Equatable {
    package let layer: Int
    package let linear: LayerLinear
    package let inputs: Int
    package let outputs: Int
    package let rank: Int
    /// Offsets in floats.
    package let a: Int
    package let b: Int
}

/// The parameters, and their gradient: all terms in one run of floats each.
package final class LowRankParameters {
    package let slots: [LowRankSlot]
    package let values: AlignedBuffer<Float>
    package let gradients: AlignedBuffer<Float>
    /// True while the base is computed without any term.
    package var isOff = false
    private let places: [Int?]

    /// A is uniform in ±1/√inputs (PEFT's choice), B is zero: the adapter changes nothing at first.
    package init(_ shape: AdapterShape, _ c: DecoderConfiguration, seed: UInt64) {
        var slots: [LowRankSlot] = []
        var places: [Int?] = []
        var end = 0
        for layer in 0..<c.layers {
            for linear in LayerLinear.allCases {
                guard shape.targets.contains(linear.peftName) else {
                    places.append(nil)
                    continue
                }
                let (outputs, inputs) = linear.shape(c)
                let b = end + shape.rank * inputs
                places.append(slots.count)
                slots.append(
                    LowRankSlot(
                        layer: layer, linear: linear, inputs: inputs, outputs: outputs,
                        rank: shape.rank, a: end, b: b))
                end = b + shape.rank * outputs
            }
        }
        self.slots = slots
        self.places = places
        values = AlignedBuffer(end)
        gradients = AlignedBuffer(end)
        var generator = SplitMix64(seed: seed)
        for slot in slots {
            let bound = 1 / Double(slot.inputs).squareRoot()
            for i in 0..<slot.rank * slot.inputs {
                values.pointer[slot.a + i] = Float((2 * generator.unit() - 1) * bound)
            }
        }
    }

    /// Floats that are learned.
    package var count: Int { values.count }

    func slot(_ layer: Int, _ linear: LayerLinear) -> LowRankSlot? {
        guard !isOff else { return nil }
        let place = layer * LayerLinear.allCases.count + LayerLinear.allCases.firstIndex(of: linear)!
        return places[place].map { slots[$0] }
    }

    /// Zeros, before the batches of a step add theirs.
    package func clearGradients() { gradients.pointer.update(repeating: 0, count: count) }
}
