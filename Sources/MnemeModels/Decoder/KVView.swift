import MnemeNumerics

/// One sequence's KV cache as the model sees it: memory that the caller owns and hands to the
/// model.
///
/// Halves (f16), in blocks of ``blockTokens`` positions. In each layer, element i of position p's
/// key lies at `keys + layer·layerStride + keyOffset(p) + i·blockTokens`, so that one element of
/// neighbouring positions is read together; its value for head h begins at `values +
/// layer·layerStride + valueOffset(p) + h·dimension·blockTokens`. The model writes new positions and
/// reads all up to them; it never asks who else maps them.
public struct KVView: @unchecked Sendable {
    /// Positions of a block: few enough that little is lost where two texts part, enough that
    /// mappings stay few. A cache line of halves.
    public static let blockTokens = DecoderKernels.kvBlock

    /// Keys of layer 0, block 0.
    public var keys: UnsafeMutablePointer<UInt16>
    /// Values of layer 0, block 0.
    public var values: UnsafeMutablePointer<UInt16>
    /// Elements from layer to layer.
    public var layerStride: Int
    /// Elements from block to block.
    public var blockStride: Int
    /// The block of `keys` that each block of the sequence is; for memory that cannot be mapped
    /// twice.
    public var table: UnsafePointer<Int32>?
    /// Names each block of the sequence, if the memory can be shared: where two sequences have the
    /// same names, they have the same bytes.
    public var blocks: UnsafePointer<Int32>?
    /// The rows of each head, those of all heads of layer 0 first; for heads that keep different
    /// positions. Their pages lie behind `keys`; `values` and strides are not used then.
    public var heads: UnsafePointer<KVHeadRows>?
    /// Positions there is room for.
    public var capacity: Int
    /// Chooses what a single token's attention reads of ``heads``; it must outlive the step. Nil
    /// reads all.
    package var chooser: KVPageChooser? {
        get { unretainedChooser.object }
        set { unretainedChooser.object = newValue }
    }
    private var unretainedChooser = UnretainedReference<KVPageChooser>()
    /// Brings the rows of ``heads`` into memory, a group of heads at a time; it must outlive the step.
    /// Nil if all are there.
    package var groups: KVHeadGroups? {
        get { unretainedGroups.object }
        set { unretainedGroups.object = newValue }
    }
    private var unretainedGroups = UnretainedReference<KVHeadGroups>()

    /// A view of memory that must outlive it.
    public init(
        keys: UnsafeMutablePointer<UInt16>, values: UnsafeMutablePointer<UInt16>, layerStride: Int,
        blockStride: Int,
        table: UnsafePointer<Int32>? = nil, blocks: UnsafePointer<Int32>? = nil,
        heads: UnsafePointer<KVHeadRows>? = nil, capacity: Int
    ) {
        self.keys = keys
        self.values = values
        self.layerStride = layerStride
        self.blockStride = blockStride
        self.table = table
        self.blocks = blocks
        self.heads = heads
        self.capacity = capacity
    }

    private func block(_ position: Int) -> Int {
        let block = position / Self.blockTokens
        return (table.map { Int($0[block]) } ?? block) * blockStride
    }

    /// The offset of a position's keys in each layer.
    public func keyOffset(_ position: Int) -> Int { block(position) + position % Self.blockTokens }

    /// The offset of a position's values of head 0 in each layer.
    public func valueOffset(_ position: Int, dimension: Int) -> Int {
        block(position) + position % Self.blockTokens * dimension
    }
}

/// The rows that one key-value head of one layer keeps, by itself: in pages of
/// ``KVView/blockTokens`` rows, anywhere behind ``KVView/keys``.
///
/// A page holds halves, keys as [dimension][32], then values as [32][dimension]; or codes, see
/// `mnk_encode_kv_page`.
public struct KVHeadRows: @unchecked Sendable {
    /// Halves from one page's possible beginning to the next: 64 bytes.
    public static let pageUnit = 32
    /// Where each page begins, in units of ``pageUnit`` halves; ~ of it if the page holds codes.
    public var pages: UnsafeMutablePointer<Int32>
    /// Bits of codes, 8 or 4.
    public var codeBits: Int
    /// Rows that are there; new tokens follow them, in pages of halves. Windows count rows: a layer
    /// with one may lack leading rows alone.
    public var count = 0
    /// The logarithm of the merge count of each row, which weighs as much as so many of its kind; −∞ for
    /// one that is not seen. Up to a multiple of 64 rows; nil if each stands for itself.
    public var mergeLogs: UnsafePointer<Float>?

    /// No rows yet; the table of pages must outlive them.
    public init(pages: UnsafeMutablePointer<Int32>, codeBits: Int) {
        self.pages = pages
        self.codeBits = codeBits
    }
}

/// Chooses the pages of each head that one token's attention reads, once its queries are rotated.
package final class KVPageChooser: @unchecked Sendable {
    /// The rows that attention reads, of all heads as in ``KVView/heads``.
    package let chosen: UnsafeMutablePointer<KVHeadRows>
    private let body: (_ layer: Int, _ head: Int, _ queries: UnsafePointer<Float>, _ scale: Float) -> Void

    /// - Parameters:
    ///   - chosen: outlives the chooser.
    ///   - body: writes a head's entry of `chosen` for the queries of its group, one behind the
    ///     other. Different heads come from different threads at once, those of one layer before
    ///     those of the next.
    package init(
        chosen: UnsafeMutablePointer<KVHeadRows>,
        _ body: @escaping (Int, Int, UnsafePointer<Float>, Float) -> Void
    ) {
        (self.chosen, self.body) = (chosen, body)
    }

    package func choose(_ layer: Int, _ head: Int, queries: UnsafePointer<Float>, scale: Float) {
        body(layer, head, queries, scale)
    }
}

/// A request for accumulated attention: a step adds up the weights that a segment's last tokens
/// give to each row, over all query heads of a key-value head.
public struct KVObservation: @unchecked Sendable {
    /// Of the layer l behind ``firstLayer`` and key-value head h from `(l·kvHeads + h)·stride` on;
    /// nothing is set to zero before.
    public var accumulatedAttention: UnsafeMutablePointer<Float>
    /// The squares of the weights, summed likewise; nil if nobody wants them.
    public var squares: UnsafeMutablePointer<Float>? = nil
    /// Floats of a head.
    public var stride: Int
    /// The last tokens that count.
    public var tokens: Int
    /// Layers before it do not count.
    public var firstLayer: Int
    /// The weights that the last ``recentTokens`` tokens alone give, summed likewise; nil if nobody
    /// wants them.
    public var recentAttention: UnsafeMutablePointer<Float>? = nil
    /// Tokens that ``recentAttention`` counts.
    public var recentTokens = 0
    /// The queries of the last ``queryTokens`` positions, rotated: of query head h of the layer l
    /// behind ``firstLayer`` at position p, from
    /// `((l·heads + h)·queryTokens + p mod queryTokens)·dimension` on; nil if nobody wants them.
    public var queries: UnsafeMutablePointer<Float>? = nil
    /// Positions whose queries are noted.
    public static let queryTokens = KVView.blockTokens

    /// Sums in memory that must outlive the step.
    public init(accumulatedAttention: UnsafeMutablePointer<Float>, stride: Int, tokens: Int, firstLayer: Int = 0) {
        self.accumulatedAttention = accumulatedAttention
        self.stride = stride
        self.tokens = tokens
        self.firstLayer = firstLayer
    }
}

/// New tokens of one sequence in a step: a part of its prompt, or the token that was sampled last.
public struct DecoderSegment: @unchecked Sendable {
    /// Its tokens among the step's.
    public var tokens: Range<Int>
    /// The position of the first, where they follow each other.
    public var position: Int
    /// The position of each token, ascending, if they do not follow each other; then ``position``
    /// is the last position + 1 - their number.
    public private(set) var positions: UnsafePointer<Int32>?
    /// The sequence's memory.
    public var view: KVView
    /// The number of its tokens, counted from the end, that get logits.
    public var logits: Int
    /// The sums of attention that somebody wants, if any.
    public var observation: KVObservation?
    /// The adapter that its tokens are computed with, if any; it must outlive the step.
    public var adapter: DecoderAdapter? {
        get { unretainedAdapter.object }
        set { unretainedAdapter.object = newValue }
    }
    private var unretainedAdapter = UnretainedReference<DecoderAdapter>()

    /// Tokens that follow each other from `position` on; the view has room for them.
    public init(
        tokens: Range<Int>, position: Int, view: KVView, logits: Int,
        observation: KVObservation? = nil
    ) {
        self.tokens = tokens
        self.position = position
        self.view = view
        self.logits = logits
        self.observation = observation
    }

    /// Tokens anywhere in the sequence, over what the view holds for all other positions.
    ///
    /// - Parameters:
    ///   - tokens: its tokens' places in the step.
    ///   - view: the keys and values of its sequence.
    ///   - logits: how many of its last positions are scored.
    ///   - observation: what is noted of attention for policies; nil for nothing.
    ///   - positions: of each token, ascending; the memory must outlive the step.
    public init(
        tokens: Range<Int>, positions: UnsafePointer<Int32>, view: KVView, logits: Int,
        observation: KVObservation? = nil
    ) {
        let position = tokens.isEmpty ? 0 : Int(positions[tokens.count - 1]) + 1 - tokens.count
        self.init(
            tokens: tokens, position: position, view: view, logits: logits, observation: observation
        )
        self.positions = positions
    }

    /// The position of its token `index`.
    func position(of index: Int) -> Int { positions.map { Int($0[index]) } ?? position + index }
}
