/// A function that is called with the hidden states after each layer of a step: a probe reads them,
/// a memory module changes them.
///
/// It runs on every thread of the step, each with its own rows, so it must not wait for other
/// threads. Without a hook, a step does the same work as if there were none.
public struct LayerHook: Sendable {
    /// Called behind each layer.
    let body: @Sendable (HiddenStates) -> Void

    /// - Parameter body: called behind each layer, on each thread with that thread's rows.
    public init(_ body: @escaping @Sendable (HiddenStates) -> Void) { self.body = body }
}

/// The hidden states (rows of the residual stream) behind a layer, those of one thread. Rows of a
/// step's sequences stand side by side; ``token(row:)`` tells which token a row belongs to.
public struct HiddenStates {
    /// The layer, from 0.
    public let layer: Int
    /// The rows that may be read and changed here. Behind the last layer these are only the tokens
    /// that go on to the logits, close to each other; see ``token(row:)``.
    public let rows: Range<Int>
    /// Floats of a row.
    public let width: Int
    let state: UnsafeMutablePointer<Float>
    let segments: UnsafeBufferPointer<DecoderSegment>
    /// The first row of each segment behind the last layer; nil before it.
    let lastRows: [Int]?

    /// The hidden state of a row of ``rows``; valid during the call.
    public subscript(row: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(rows.contains(row), "The row \(row) belongs to another thread.")
        return UnsafeMutableBufferPointer(start: state + row * width, count: width)
    }

    /// The index of a row's token among the step's tokens.
    public func token(row: Int) -> Int {
        guard let lastRows else { return row }
        for (i, segment) in segments.enumerated() where row < lastRows[i + 1] {
            return segment.tokens.upperBound - (lastRows[i + 1] - row)
        }
        return row
    }
}
