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
    /// The squares of these weights, summed likewise; empty unless they are asked for.
    public var attentionSquares: [Float] = []
    /// Tokens and query heads that ``attention`` is a sum over; 0 if it is not known.
    public var observations = 0
    /// The compensation row, and its merge count; count 1 if there is none.
    public var compensationRow: Int, mergeCount: Float
    let keys: UnsafePointer<UInt16>, values: UnsafePointer<UInt16>
    /// Fills `keys` and `values`, if they are read at all.
    private let fill: (() -> Void)?

    package init(
        layer: Int, head: Int, dimension: Int, budget: Int, positions: [Int32], attention: [Float],
        mergeCount: (row: Int, count: Float) = (0, 1),
        keys: UnsafePointer<UInt16>, values: UnsafePointer<UInt16>, fill: (() -> Void)? = nil
    ) {
        self.layer = layer
        self.head = head
        self.dimension = dimension
        self.budget = budget
        self.positions = positions
        self.attention = attention
        (compensationRow, self.mergeCount) = mergeCount
        self.keys = keys
        self.values = values
        self.fill = fill
    }

    /// The number of rows.
    public var count: Int { positions.count }
    /// The merge count of a row: rows that it stands for, itself among them.
    public func weight(_ row: Int) -> Float { row == compensationRow ? mergeCount : 1 }
    /// A row's key as floats, rotated by its position. Keys are stored transposed, see ``KVShape``.
    public func key(_ row: Int) -> [Float] {
        fill?()
        let start =
            keys + row / KVShape.blockTokens * KVShape.blockTokens * dimension + row
            % KVShape.blockTokens
        return (0..<dimension).map { Float(Float16(bitPattern: start[$0 * KVShape.blockTokens])) }
    }
    /// A row's value as floats.
    public func value(_ row: Int) -> [Float] {
        fill?()
        return (0..<dimension).map { Float(Float16(bitPattern: values[row * dimension + $0])) }
    }
}
