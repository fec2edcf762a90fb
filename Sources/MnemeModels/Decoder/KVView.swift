/// Where one sequence's keys and values lie: memory that the caller owns and hands to the model.
///
/// Halves (f16). Positions come in blocks of 2^`blockShift`: in each layer, position p's keys are `kvSize` elements at
/// `keys + layer·layerStride + place(p)`, values likewise. The model writes new positions and reads all up to them; it never asks
/// who else maps them.
public struct KVView: @unchecked Sendable {
    /// Keys of layer 0, position 0.
    public var keys: UnsafeMutablePointer<UInt16>
    /// Values of layer 0, position 0.
    public var values: UnsafeMutablePointer<UInt16>
    /// Elements from layer to layer.
    public var layerStride: Int
    /// Elements from position to position inside of a block.
    public var positionStride: Int
    /// Elements from block to block.
    public var blockStride: Int
    /// The logarithm of a block's positions: at least 4.
    public var blockShift: Int
    /// Where memory cannot be mapped twice: which block of `keys` each block of the sequence is.
    public var table: UnsafePointer<Int32>?
    /// Positions there is room for.
    public var capacity: Int

    /// Memory in blocks. It must outlive the view.
    public init(
        keys: UnsafeMutablePointer<UInt16>, values: UnsafeMutablePointer<UInt16>, layerStride: Int, positionStride: Int, blockStride: Int, blockShift: Int,
        table: UnsafePointer<Int32>? = nil, capacity: Int
    ) {
        precondition((4...62).contains(blockShift), "A block has at least 16 positions.")
        self.keys = keys
        self.values = values
        self.layerStride = layerStride
        self.positionStride = positionStride
        self.blockStride = blockStride
        self.blockShift = blockShift
        self.table = table
        self.capacity = capacity
    }

    /// Memory where all positions of a layer follow each other. It must outlive the view.
    public init(
        keys: UnsafeMutablePointer<UInt16>, values: UnsafeMutablePointer<UInt16>, layerStride: Int, positionStride: Int, capacity: Int
    ) {
        self.init(
            keys: keys, values: values, layerStride: layerStride, positionStride: positionStride, blockStride: 0, blockShift: 62, capacity: capacity)
    }

    /// Where a position stands in each layer.
    public func place(_ position: Int) -> Int {
        let block = position >> blockShift
        return (table.map { Int($0[block]) } ?? block) * blockStride + (position & ((1 << blockShift) - 1)) * positionStride
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
