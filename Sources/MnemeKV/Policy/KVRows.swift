/// The rows of one key-value head of one layer, as a policy sees them; valid during the call.
public struct KVRows {
    /// The layer, and the key-value head in it.
    public var layer: Int, head: Int
    /// Elements of a key.
    public var dimension: Int
    /// Rows that may be kept.
    public var budget: Int
    /// The position of each row, ascending.
    public var positions: [Int32]
    /// The weights that ``TokenScorer/needs`` asks for, a sum over tokens and query heads for each
    /// row. Empty if it asks for nothing.
    public var attention: [Float]
    /// The weights of the last tokens alone, if ``AttentionNeed/allAndLast(_:)`` was asked for.
    public var recentAttention: [Float] = []
    /// The queries of the last tokens, by query head of the group and then by token, the oldest
    /// first; rotated by their positions. Empty unless they are asked for.
    public var queries: [[[Float]]] = []
    /// The rows' tokens; empty unless they are asked for.
    public var tokens: [Int32] = []
    /// True if the prompt's rows were chosen before: these are its rows that were kept, and those behind it.
    public var isBehindPrompt = false
    /// The squares of these weights, summed likewise; empty unless they are asked for.
    public var attentionSquares: [Float] = []
    /// Tokens and query heads that ``attention`` is a sum over; 0 if it is not known.
    public var observations = 0
    /// The merge counts of the first rows; 1 for those beyond.
    public var mergeCounts: [Float]
    let keys: UnsafePointer<UInt16>, values: UnsafePointer<UInt16>
    /// Fills `keys` and `values`, if they are read at all.
    private let fill: (() -> Void)?

    package init(
        layer: Int, head: Int, dimension: Int, budget: Int, positions: [Int32], attention: [Float],
        mergeCounts: [Float] = [],
        keys: UnsafePointer<UInt16>, values: UnsafePointer<UInt16>, fill: (() -> Void)? = nil
    ) {
        self.layer = layer
        self.head = head
        self.dimension = dimension
        self.budget = budget
        self.positions = positions
        self.attention = attention
        self.mergeCounts = mergeCounts
        self.keys = keys
        self.values = values
        self.fill = fill
    }

    /// The number of rows.
    public var count: Int { positions.count }
    /// The merge count of a row: rows that it stands for, itself among them.
    public func weight(_ row: Int) -> Float { row < mergeCounts.count ? mergeCounts[row] : 1 }
    /// A row's key as floats, rotated by its position. Keys are stored transposed, see ``KVShape``.
    public func key(_ row: Int) -> [Float] {
        fill?()
        let start =
            keys + row / KVShape.blockTokens * KVShape.blockTokens * dimension + row
            % KVShape.blockTokens
        return (0..<dimension).map { Float(half: start[$0 * KVShape.blockTokens]) }
    }
    /// A row's value as floats.
    public func value(_ row: Int) -> [Float] {
        fill?()
        return (0..<dimension).map { Float(half: values[row * dimension + $0]) }
    }
}

extension Float {
    /// A finite half, which all in caches are, as it is. The compiler's own conversion is a call for each element where
    /// the program is built for any processor of its kind.
    package init(half: UInt16) {
        // The exponent's bias differs by 112; multiplying makes up for it, of the smallest numbers, too.
        let bits = UInt32(half & 0x7fff) << 13 | UInt32(half & 0x8000) << 16
        self = Float(bitPattern: bits) * 0x1p112
    }
}
