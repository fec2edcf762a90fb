import Foundation

/// Which keys and values a sequence keeps: when to choose, what each is worth, how the budget is
/// split, and what becomes of the others.
///
/// A policy is put together from small parts and never touches positions or storage:
/// ``CompressedCache`` does.
public struct KVPolicy: Sendable {
    /// When rows are given up.
    public enum Trigger: Sendable, Hashable {
        /// Never: all are kept.
        case never
        /// Once, behind the prompt; what follows is kept.
        case promptEnd
        /// Whenever so many tokens have come beyond the budget, in the prompt and behind it: the
        /// budget bounds memory at any time.
        case every(Int)
    }

    /// What it is called in tables.
    public var name: String
    /// When rows are given up.
    public var trigger: Trigger
    /// What each row is worth.
    public var scorer: any TokenScorer
    /// What each head may keep.
    public var allocator: any BudgetAllocator
    /// What becomes of the others.
    public var disposer: any Disposer
    /// Whether kept rows move together, so that positions never exceed the rows that are kept.
    public var movesTogether: Bool

    /// All values.
    public init(
        _ name: String, trigger: Trigger, scorer: any TokenScorer,
        allocator: any BudgetAllocator = UniformBudget(),
        disposer: any Disposer = Drop(),
        movesTogether: Bool = false
    ) {
        self.name = name
        self.trigger = trigger
        self.scorer = scorer
        self.allocator = allocator
        self.disposer = disposer
        self.movesTogether = movesTogether
    }
}

/// What a scorer looks at besides positions, keys and values.
public enum AttentionNeed: Sendable, Hashable {
    /// Nothing: the attention kernel runs as it is.
    case none
    /// The weights that the last tokens give to each row.
    case last(Int)
    /// The weights that all tokens have given to each row since it is there.
    case all
}

/// What each row of a head is worth.
public protocol TokenScorer: Sendable {
    /// What ``KVRows/attention`` is to hold.
    var needs: AttentionNeed { get }
    /// A worth for each row; the lowest go first, infinity stays. Of equals the earlier goes.
    func scores(_ rows: KVRows) -> [Float]
}

/// How many rows each head may keep.
public protocol BudgetAllocator: Sendable {
    /// - Parameters:
    ///   - budget: rows that a head keeps on average.
    ///   - lengths: rows that each head has now, by layers.
    /// - Returns: the most that each may keep, in the same order.
    func split(_ budget: Int, lengths: [[Int]]) -> [[Int]]
}

/// What becomes of rows that are not kept.
public protocol Disposer: Sendable {
    /// - Parameters:
    ///   - kept: rows, in order.
    ///   - lost: the others, in order.
    /// - Returns: new contents of kept rows.
    func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange]
}

/// New contents of a row.
public struct KVChange: Sendable, Equatable {
    /// Which.
    public var row: Int
    /// Its key as it is stored, with its position in it, and its value.
    public var key: [Float], value: [Float]
    /// Rows that it stands for. One row of a head can stand for more than one.
    public var many: Float

    /// All values.
    public init(row: Int, key: [Float], value: [Float], many: Float = 1) {
        self.row = row
        self.key = key
        self.value = value
        self.many = many
    }
}

/// The rows of one key-value head of one layer, as a policy sees them; valid during the call.
public struct KVRows {
    /// Which head.
    public var layer: Int, head: Int
    /// Elements of a key.
    public var dimension: Int
    /// Rows that may be kept.
    public var budget: Int
    /// The position of each row, ascending.
    public var positions: [Int32]
    /// What ``TokenScorer/needs`` asks for: a sum over tokens and query heads. Empty if it asks for
    /// nothing.
    public var attention: [Float]
    /// A row that stands for so many that are gone; for itself alone if there is none.
    public var manyRow: Int, many: Float
    let keys: UnsafePointer<UInt16>, values: UnsafePointer<UInt16>

    package init(
        layer: Int, head: Int, dimension: Int, budget: Int, positions: [Int32], attention: [Float],
        many: (row: Int, count: Float) = (0, 1),
        keys: UnsafePointer<UInt16>, values: UnsafePointer<UInt16>
    ) {
        self.layer = layer
        self.head = head
        self.dimension = dimension
        self.budget = budget
        self.positions = positions
        self.attention = attention
        (manyRow, self.many) = many
        self.keys = keys
        self.values = values
    }

    /// How many there are.
    public var count: Int { positions.count }
    /// How many rows a row stands for.
    public func weight(_ row: Int) -> Float { row == manyRow ? many : 1 }
    /// A row's key, with its position in it.
    public func key(_ row: Int) -> [Float] {
        let start =
            keys + row / KVShape.blockTokens * KVShape.blockTokens * dimension + row
            % KVShape.blockTokens
        return (0..<dimension).map { Float(Float16(bitPattern: start[$0 * KVShape.blockTokens])) }
    }
    /// A row's value.
    public func value(_ row: Int) -> [Float] {
        (0..<dimension).map { Float(Float16(bitPattern: values[row * dimension + $0])) }
    }
}

/// The same for all heads.
public struct UniformBudget: BudgetAllocator {
    /// Nothing to set.
    public init() {}
    /// The whole budget for each head.
    public func split(_ budget: Int, lengths: [[Int]]) -> [[Int]] {
        lengths.map { $0.map { _ in budget } }
    }
}

/// They are gone.
public struct Drop: Disposer {
    /// Nothing to set.
    public init() {}
    /// Nothing that stays changes.
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] { [] }
}
