import MnemeNumerics

/// A step of the decoder that is computed a few layers at a time, and the hidden states of its
/// tokens in between: so that it can begin before the keys and values of later layers are there.
///
/// Other steps may be computed in between. The results are the same bits as those of one step. Used
/// by one thread at a time.
package final class PausedStep: @unchecked Sendable {
    /// Layers that are computed.
    package internal(set) var layers = 0
    /// Its tokens.
    package let tokens: Int
    /// Rows of the residual stream behind those layers.
    let states: AlignedBuffer<Float>

    /// A step of so many tokens that has not begun, of a model whose hidden states have `width`
    /// elements.
    package init(tokens: Int, width: Int) {
        self.tokens = tokens
        states = AlignedBuffer(tokens * width)
    }
}
