import CMnemeKernels

/// The kernels of a transformer encoder besides the matrix product, over caller-owned memory.
package struct EncoderKernels: Sendable {
    private let features: UInt32

    package init(features: ProcessorFeatures = .current) { self.features = features.rawValue }

    /// Layer normalisation of `rows` rows. `output` may be `input`.
    package func layerNorm(
        _ input: UnsafePointer<Float>, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>,
        epsilon: Float,
        rows: Int, columns: Int, into output: UnsafeMutablePointer<Float>
    ) {
        mnk_layer_norm(features, input, gamma, beta, epsilon, rows, columns, output)
    }

    /// Floats of scratch that ``attention(qkv:tokens:heads:headDimension:headRange:into:scratch:)``
    /// needs.
    package static func attentionScratch(tokens: Int, headDimension: Int) -> Int {
        mnk_attention_scratch(tokens, headDimension)
    }

    /// Bidirectional attention of one text for heads `headRange`.
    package func attention(
        qkv: UnsafePointer<Float>, tokens: Int, heads: Int, headDimension: Int,
        headRange: Range<Int>,
        into output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        mnk_attention(
            features, qkv, tokens, heads, headDimension, headRange.lowerBound, headRange.upperBound,
            output, scratch)
    }

    /// The normalised mean of `rows` rows.
    package func meanPool(
        _ input: UnsafePointer<Float>, rows: Int, columns: Int,
        into output: UnsafeMutablePointer<Float>
    ) {
        mnk_mean_pool(features, input, rows, columns, output)
    }
}
