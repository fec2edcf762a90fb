import MnemeNumerics

/// Memory of one forward pass over up to `capacity` tokens of several texts: activations in floats,
/// and their quantized rows. Made once and lent to passes in turn, so that embedding allocates
/// little.
final class BertWorkspace: Sendable {
    /// Rows that there is room for.
    let capacity: Int
    /// hiddenSize a row: the states, sums before a norm, queries with keys and values (three times
    /// that), and attention's output.
    let hidden, sum, qkv, context: AlignedBuffer<Float>
    /// The feed-forward network's inner rows, intermediateSize each, also in 15 bits.
    let intermediate: DecoderRows
    /// Rows in 8 bits, and a scale and a zero for each.
    let bytes: AlignedBuffer<UInt8>
    /// For each row, see ``bytes``.
    let scales: AlignedBuffer<Float>
    let zeros: AlignedBuffer<Int32>
    /// Attention scratch, one for each thread that may share the pass.
    let scratch: [AlignedBuffer<Float>]

    /// Room for `capacity` tokens, and attention's scratch memory for the longest text.
    init(capacity: Int, threads: Int, configuration c: BertConfiguration) {
        self.capacity = capacity
        hidden = AlignedBuffer(capacity * c.hiddenSize)
        sum = AlignedBuffer(capacity * c.hiddenSize)
        qkv = AlignedBuffer(capacity * 3 * c.hiddenSize)
        context = AlignedBuffer(capacity * c.hiddenSize)
        intermediate = DecoderRows(rows: capacity, columns: c.intermediateSize, forms: .codes)
        bytes = AlignedBuffer(capacity * c.hiddenSize)
        scales = AlignedBuffer(capacity)
        zeros = AlignedBuffer(capacity)
        let longest = EncoderKernels.attentionScratch(
            tokens: c.maximumTokens, headDimension: c.headDimension)
        scratch = (0..<threads).map { _ in AlignedBuffer(longest) }
    }
}
