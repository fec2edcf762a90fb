import MnemeModels
import MnemeNumerics

/// What a layer's forward pass leaves for its gradient, besides its input.
enum LayerTensor: Int, CaseIterable {
    /// The input, normed: rows of the hidden size.
    case normed1
    /// Rotated to their positions.
    case query, key
    case value
    /// Attention's output before its map.
    case attended
    /// Attention's log-sum-exps: a run for each head, not rows.
    case lse
    /// The stream behind attention, and normed.
    case middle, normed2
    /// Outputs of the gate's and the up map, and their product SiLU(gate)·up.
    case gate, up, gated
    /// Inputs of low-rank terms times Aᵀ: a plane of rows for each linear map.
    case projected
}

/// Sizes of a layer's values for a batch.
struct LayerSizes {
    let configuration: DecoderConfiguration
    /// Of the largest batch, rounded up to 32.
    let rows: Int
    /// Rounded up to 16.
    let rank: Int
    /// Rows have lengths of their own (DoRA).
    var learnsMagnitudes = false
    /// No gradient goes through the layers.
    var isForwardOnly = false

    init(_ c: DecoderConfiguration, tokens: Int, rank: Int) {
        (configuration, rows, self.rank) = (c, padded(tokens, 32), padded(rank, 16))
    }

    /// Floats of a row.
    func width(_ tensor: LayerTensor) -> Int {
        let c = configuration
        return switch tensor {
        case .normed1, .middle, .normed2: c.hiddenSize
        case .query, .attended: c.heads * c.headDimension
        case .key, .value: c.kvSize
        case .lse: c.heads
        case .gate, .up, .gated: c.intermediateSize
        case .projected: rank
        }
    }

    /// Planes of rows.
    func planes(_ tensor: LayerTensor) -> Int {
        tensor == .projected ? LayerLinear.allCases.count : 1
    }
}

/// Memory for one layer's values. Layers may share all of it or a part.
struct LayerValues {
    typealias Rows = AlignedBuffer<Float>
    let sizes: LayerSizes
    private let buffers: [Rows]
    /// What a restored layer has in place of gate and up: the derivatives of their product.
    let gateDerivatives: Flag

    /// A value that the copies of these values share.
    final class Flag { var isSet = false }

    /// - Parameter shared: memory of other layers, for the tensors that are not `own`.
    init(
        _ sizes: LayerSizes, _ arena: TrainingArena, _ purpose: TrainingArena.Purpose,
        sharing shared: (values: LayerValues, own: (LayerTensor) -> Bool)? = nil
    ) {
        self.sizes = sizes
        gateDerivatives = shared?.values.gateDerivatives ?? Flag()
        buffers = LayerTensor.allCases.map { tensor in
            if let shared, !shared.own(tensor) { return shared.values[tensor] }
            return arena.make(
                sizes.rows * sizes.width(tensor) * sizes.planes(tensor), purpose)
        }
    }

    subscript(tensor: LayerTensor) -> Rows { buffers[tensor.rawValue] }

    /// A linear map's plane of `projected`.
    func projected(_ name: LayerLinear) -> UnsafeMutablePointer<Float> {
        let plane = LayerLinear.allCases.firstIndex(of: name)!
        return self[.projected].pointer + plane * sizes.rows * sizes.rank
    }
}
