import MnemeModels
import MnemeNumerics

/// Memory for a layer's gradients, one for all layers.
final class LayerWorkspace {
    typealias Rows = AlignedBuffer<Float>
    /// Gradients: of the layer's output, then of its middle and its input; of norms' outputs; of
    /// the wide rows; of queries, keys and values. Those of keys and values come by query head
    /// before they are added up.
    let stream: Rows, normedGradient: Rows, wide1: Rows, wide2: Rows
    let queryGradient: Rows, keyGradient: Rows, valueGradient: Rows, attendedGradient: Rows
    let keyHeads: Rows, valueHeads: Rows, projectedGradient: Rows
    /// (W + scale·B·A)·x of a map whose rows have lengths of their own, then its gradient; empty where
    /// none have.
    let scaled: Rows
    /// For each thread: attention's scratch memory.
    let scratch: [Rows]
    /// Rows of layers that were computed a second time.
    var recomputedRows = 0

    /// - Parameters:
    ///   - scratchFloats: of attention, for a thread.
    ///   - threads: of the pool.
    init(_ sizes: LayerSizes, _ arena: TrainingArena, scratchFloats: Int, threads: Int) {
        func make(_ width: Int) -> Rows { arena.make(sizes.isForwardOnly ? 0 : sizes.rows * width, .layer) }
        let c = sizes.configuration
        let queries = c.heads * c.headDimension
        stream = arena.make(sizes.rows * c.hiddenSize, .layer)
        normedGradient = make(c.hiddenSize)
        (wide1, wide2) = (make(c.intermediateSize), make(c.intermediateSize))
        (queryGradient, attendedGradient) = (make(queries), make(queries))
        (keyGradient, valueGradient) = (make(c.kvSize), make(c.kvSize))
        (keyHeads, valueHeads) = (make(queries), make(queries))
        projectedGradient = make(sizes.rank)
        scaled = make(sizes.learnsMagnitudes ? max(c.hiddenSize, c.intermediateSize, queries) : 0)
        scratch = (0..<threads).map { _ in arena.make(scratchFloats, .layer) }
    }
}
