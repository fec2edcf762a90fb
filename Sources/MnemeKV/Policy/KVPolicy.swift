import Foundation

/// A rule for which keys and values a sequence keeps under a budget: when rows are evicted, how
/// they are scored, how the budget is split over the heads, and what becomes of evicted rows.
///
/// A policy is put together from four small parts and never touches positions or storage:
/// ``CompressedSequence`` does. Most published methods differ in one part alone, so that they can be
/// combined: SnapKV's scores with DuoAttention's split, for one.
public struct KVPolicy: Sendable {
    /// The times at which rows are evicted.
    public enum Trigger: Sendable, Hashable {
        /// Never: all are kept.
        case never
        /// Once, behind the prompt; rows that follow are kept. Bounds what an answer reads, not the
        /// memory of the prefill.
        case promptEnd
        /// Whenever so many tokens have come beyond the budget, in the prompt and behind it: the
        /// budget bounds memory at any time.
        case every(Int)
    }

    /// The name that tables show.
    public var name: String
    /// The times at which rows are evicted.
    public var trigger: Trigger
    /// The order in which rows go.
    public var scorer: any TokenScorer
    /// The split of the budget over layers and heads.
    public var allocator: any BudgetAllocator
    /// The use that is made of evicted rows.
    public var disposer: any Disposer
    /// Moves kept rows to neighbouring positions (by rotating their keys), so that positions never
    /// exceed the rows that are kept: answers can go on beyond the context that the model was
    /// trained for.
    public var movesTogether: Bool

    /// Chooses what each token reads of the rows that are kept, a budget's worth; nil reads all. Such
    /// a policy evicts nothing.
    public var selector: (any KVSelector)?

    /// A policy of these parts; by default all heads have the same budget, and evicted rows are
    /// dropped.
    public init(
        _ name: String, trigger: Trigger, scorer: any TokenScorer,
        allocator: any BudgetAllocator = UniformBudget(),
        disposer: any Disposer = Drop(),
        movesTogether: Bool = false, selector: (any KVSelector)? = nil
    ) {
        self.name = name
        self.trigger = trigger
        self.scorer = scorer
        self.allocator = allocator
        self.disposer = disposer
        self.movesTogether = movesTogether
        self.selector = selector
    }

    /// The attention that it looks at: none if rows are never evicted.
    public var attention: AttentionNeed { trigger == .never ? .none : scorer.needs }
}

/// The attention weights that a scorer looks at, besides positions, keys and values. Weights cost a
/// second pass over the keys, as the attention kernel keeps none.
public enum AttentionNeed: Sendable, Hashable {
    /// Nothing: the attention kernel runs as it is.
    case none
    /// The weights that the last tokens give to each row.
    case last(Int)
    /// The weights that all tokens have given to each row since it is there.
    case all
}

/// Scores the rows of a head: the part of a policy that says which are evicted first.
public protocol TokenScorer: Sendable {
    /// The weights that ``KVRows/attention`` is to hold.
    var needs: AttentionNeed { get }
    /// A score for each row, in order; the lowest go first, infinity stays. Of equal scores the
    /// earlier row goes.
    ///
    /// - Complexity: should be O(rows·dimension) at most: it is called for each head.
    func scores(_ rows: KVRows) -> [Float]
}

/// Splits a budget over the heads.
public protocol BudgetAllocator: Sendable {
    /// - Parameters:
    ///   - budget: rows that a head keeps on average.
    ///   - lengths: rows that each head has now, by layers.
    /// - Returns: the most that each may keep, in the same order.
    func split(_ budget: Int, lengths: [[Int]]) -> [[Int]]
}

/// Makes use of evicted rows: drops them, or merges them into kept ones.
public protocol Disposer: Sendable {
    /// - Parameters:
    ///   - kept: rows, in order.
    ///   - lost: the others, in order.
    /// - Returns: new contents of kept rows.
    func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange]
}

/// New contents of a row.
public struct KVChange: Sendable, Equatable {
    /// The row that changes, by its index before the eviction.
    public var row: Int
    /// Its key as it is stored, with its position in it, and its value.
    public var key: [Float], value: [Float]
    /// Its merge count: rows that it stands for. One row of a head can stand for more than one.
    public var mergeCount: Float

    /// A row with a key and a value of ``KVRows/dimension`` elements each.
    public init(row: Int, key: [Float], value: [Float], mergeCount: Float = 1) {
        self.row = row
        self.key = key
        self.value = value
        self.mergeCount = mergeCount
    }
}

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

/// The same budget for all heads of all layers.
public struct UniformBudget: BudgetAllocator {
    /// A policy part without settings.
    public init() {}
    /// The whole budget for each head.
    public func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] {
        lengths.map { $0.map { _ in budget } }
    }
}

/// Drops evicted rows: what most methods do.
public struct Drop: Disposer {
    /// A policy part without settings.
    public init() {}
    /// Changes nothing in the rows that stay.
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] { [] }
}
