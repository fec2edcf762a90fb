import MnemeNumerics

/// Memory of one forward pass over up to `capacity` tokens of several texts: activations in floats,
/// and their quantized rows. Made once and lent to passes in turn, so that embedding allocates
/// little.
final class BertWorkspace: Sendable {
    /// Rows that there is room for.
    let capacity: Int
    /// Inputs of the products, hiddenSize a row: the states, and attention's output.
    let hidden, context: ActivationRows
    /// hiddenSize a row: sums before a norm; and queries with keys and values, three times that.
    let sum, qkv: AlignedBuffer<Float>
    /// The feed-forward network's inner rows, intermediateSize each.
    let intermediate: ActivationRows
    /// Attention scratch, one for each thread that may share the pass.
    let scratch: [AlignedBuffer<Float>]

    /// Room for `capacity` tokens, and attention's scratch memory for the longest text.
    init(
        capacity: Int, threads: Int, configuration c: BertConfiguration, weights: BertWeights
    ) {
        self.capacity = capacity
        hidden = ActivationRows(rows: capacity, columns: c.hiddenSize, formats: weights.reads)
        context = ActivationRows(rows: capacity, columns: c.hiddenSize, formats: weights.reads)
        sum = AlignedBuffer(capacity * c.hiddenSize)
        qkv = AlignedBuffer(capacity * 3 * c.hiddenSize)
        intermediate = ActivationRows(
            rows: capacity, columns: c.intermediateSize, formats: weights.intermediateReads)
        let longest = EncoderKernels.attentionScratch(
            tokens: c.maximumTokens, headDimension: c.headDimension)
        scratch = (0..<threads).map { _ in AlignedBuffer(longest) }
    }
}
