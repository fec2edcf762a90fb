/// Where one sequence's keys and values lie: memory that the caller owns and hands to the model.
///
/// Halves (f16). In each layer, position p's keys are `kvSize` elements at `keys + layer·layerStride + p·positionStride`,
/// values likewise. The model writes new positions and reads all up to them; it never asks who else maps them.
public struct KVView: @unchecked Sendable {
    /// Keys of layer 0, position 0.
    public var keys: UnsafeMutablePointer<UInt16>
    /// Values of layer 0, position 0.
    public var values: UnsafeMutablePointer<UInt16>
    /// Elements from layer to layer.
    public var layerStride: Int
    /// Elements from position to position.
    public var positionStride: Int
    /// Positions there is room for.
    public var capacity: Int

    /// All values. The memory must outlive the view.
    public init(
        keys: UnsafeMutablePointer<UInt16>, values: UnsafeMutablePointer<UInt16>, layerStride: Int, positionStride: Int, capacity: Int
    ) {
        self.keys = keys
        self.values = values
        self.layerStride = layerStride
        self.positionStride = positionStride
        self.capacity = capacity
    }
}

/// New tokens of one sequence in a step.
public struct DecoderSegment: Sendable {
    /// Which of the step's tokens.
    public var tokens: Range<Int>
    /// The position of the first.
    public var position: Int
    /// The sequence's memory.
    public var view: KVView
    /// How many of its tokens, counted from the end, get logits.
    public var logits: Int

    /// All values.
    public init(tokens: Range<Int>, position: Int, view: KVView, logits: Int) {
        self.tokens = tokens
        self.position = position
        self.view = view
        self.logits = logits
    }
}
