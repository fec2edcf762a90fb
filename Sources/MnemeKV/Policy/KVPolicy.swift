import Foundation

/// A rule for which keys and values a sequence keeps under a budget: when rows are evicted, how
/// they are scored, how the budget is split over the heads, and what becomes of evicted rows.
///
/// A policy is put together from four small parts and never touches positions or storage:
/// `CompressedSequence` does. Most published methods differ in one part alone, so that they can be
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
    /// True if ``KVRows/attentionSquares`` are wanted, too: by the scorer, or by an allocator beside
    /// it. False if left out.
    var needsSquares: Bool { get }
    /// A score for each row, in order; the lowest go first, infinity stays. Of equal scores the
    /// earlier row goes.
    ///
    /// - Complexity: should be O(rows·dimension) at most: it is called for each head.
    func scores(_ rows: KVRows) -> [Float]
}

extension TokenScorer {
    /// Not wanted.
    public var needsSquares: Bool { false }
}

/// Makes use of evicted rows: drops them, or merges them into kept ones.
public protocol Disposer: Sendable {
    /// - Parameters:
    ///   - lost: indexes of the evicted rows among `rows`, in order.
    ///   - kept: those of the others, in order.
    ///   - rows: all rows of a head before the eviction.
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

/// Drops evicted rows: what most methods do.
public struct Drop: Disposer {
    /// A policy part without settings.
    public init() {}
    /// Changes nothing in the rows that stay.
    public func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange] { [] }
}
