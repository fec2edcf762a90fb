import CMnemeKernels
import MnemeEmbedding
import MnemeModels
import MnemeNumerics

/// Memory of a pass through an encoder: every layer's values, and one layer's gradients.
final class EncoderWorkspace {
    typealias Rows = AlignedBuffer<Float>

    /// What a layer's forward pass leaves for its gradient, besides its input.
    struct Values {
        /// Queries, keys, values, and attention's output before its map.
        let query, key, value, attended: Rows
        /// Attention's log-sum-exps: a run for each head.
        let lse: Rows
        /// Sums before the two norms, and the stream behind the first.
        let attentionSum, middle, outputSum: Rows
        /// The feed-forward network's wide rows, before and behind GELU.
        let up, activated: Rows
        /// Inputs of low-rank terms times Aᵀ, for each linear map.
        let projected: [LayerLinear: Rows]
    }

    /// Of the largest pass, rounded up to 32.
    let rows: Int
    /// Each layer's input, and the last one's output.
    let inputs: [Rows]
    let layers: [Values]
    /// Gradients: of the stream, of the wide rows, of what attention reads and gives.
    let stream, wide, query, key, value, attended, projected: Rows
    /// For each thread: attention's scratch memory.
    let scratch: [Rows]

    /// What the memory is for.
    struct Sizes {
        let configuration: BertConfiguration
        /// Tokens of all texts of a pass, and of one of them, at most.
        let tokens, longest: Int
        let rank, threads: Int
    }

    init(_ sizes: Sizes, _ arena: TrainingArena) {
        let (c, rows, rank) = (sizes.configuration, padded(sizes.tokens, 32), sizes.rank)
        let (hidden, wide) = (c.hiddenSize, c.intermediateSize)
        func make(_ width: Int, _ purpose: TrainingArena.Purpose) -> Rows {
            arena.make(rows * width, purpose)
        }
        self.rows = rows
        inputs = (0...c.layers).map { _ in make(hidden, .saved) }
        layers = (0..<c.layers).map { _ in
            Values(
                query: make(hidden, .saved), key: make(hidden, .saved), value: make(hidden, .saved),
                attended: make(hidden, .saved), lse: make(c.heads, .saved),
                attentionSum: make(hidden, .saved), middle: make(hidden, .saved),
                outputSum: make(hidden, .saved), up: make(wide, .saved),
                activated: make(wide, .saved),
                projected: Dictionary(
                    uniqueKeysWithValues: LayerLinear.allCases.filter { $0 != .gate }.map {
                        ($0, make(padded(rank, 16), .saved))
                    }))
        }
        stream = make(hidden, .layer)
        self.wide = make(wide, .layer)
        (query, key, value) = (make(hidden, .layer), make(hidden, .layer), make(hidden, .layer))
        attended = make(hidden, .layer)
        projected = make(padded(rank, 16), .layer)
        scratch = (0..<sizes.threads).map { _ in
            arena.make(mnk_training_scratch(sizes.longest, c.headDimension), .layer)
        }
    }
}
