import MnemeModels
import MnemeNumerics

/// One layer's values that its gradient needs, and memory for gradients. There is one for all
/// layers: between them only each layer's input is kept, and the rest is computed again (gradient
/// checkpointing, Chen et al. 2016).
final class LayerWorkspace {
    typealias Rows = AlignedBuffer<Float>
    let normed1: Rows, query: Rows, key: Rows, value: Rows, attended: Rows, lse: Rows
    let middle: Rows, normed2: Rows, gate: Rows, up: Rows, gated: Rows
    /// Inputs of the low-rank terms times Aᵀ, by linear map.
    let projected: [Rows]
    /// Gradients: of the layer's output, then of its middle and its input; of norms' outputs; of
    /// the wide rows; of queries, keys and values. Those of keys and values come by query head
    /// before they are added up.
    let stream: Rows, normedGradient: Rows, wide1: Rows, wide2: Rows
    let queryGradient: Rows, keyGradient: Rows, valueGradient: Rows, attendedGradient: Rows
    let keyHeads: Rows, valueHeads: Rows, projectedGradient: Rows
    /// For each thread: attention's scratch memory.
    let scratch: [Rows]

    /// - Parameters:
    ///   - tokens: the most of a batch; `longest`: of a sequence.
    ///   - rank: 0 if nothing is learned.
    init(_ c: DecoderConfiguration, tokens: Int, scratchFloats: Int, threads: Int, rank: Int) {
        let rows = padded(tokens, 32)
        let queries = c.heads * c.headDimension
        func make(_ width: Int) -> Rows { Rows(rows * width) }
        (normed1, normed2, middle) = (make(c.hiddenSize), make(c.hiddenSize), make(c.hiddenSize))
        (query, attended, lse) = (make(queries), make(queries), make(c.heads))
        (key, value) = (make(c.kvSize), make(c.kvSize))
        (gate, up, gated) = (
            make(c.intermediateSize), make(c.intermediateSize), make(c.intermediateSize)
        )
        projected = LayerLinear.allCases.map { _ in make(padded(rank, 16)) }
        (stream, normedGradient) = (make(c.hiddenSize), make(c.hiddenSize))
        (wide1, wide2) = (make(c.intermediateSize), make(c.intermediateSize))
        (queryGradient, attendedGradient) = (make(queries), make(queries))
        (keyGradient, valueGradient) = (make(c.kvSize), make(c.kvSize))
        (keyHeads, valueHeads) = (make(queries), make(queries))
        projectedGradient = make(padded(rank, 16))
        scratch = (0..<threads).map { _ in Rows(scratchFloats) }
    }

    /// Bytes of all of it.
    var byteCount: Int {
        let rows = [
            normed1, query, key, value, attended, lse, middle, normed2, gate, up, gated, stream,
            normedGradient, wide1, wide2, queryGradient, keyGradient, valueGradient,
            attendedGradient, keyHeads, valueHeads, projectedGradient,
        ]
        return (rows + projected + scratch).reduce(0) { $0 + 4 * $1.count }
    }
}
