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

    /// True if rows over the budget are not evicted but kept in codes, while those within it stay exact. It
    /// takes a format of codes, and rows are chosen behind the prompt.
    public var codesRest = false

    /// Codes the pages of kept rows in a way of its own, behind the prompt; nil leaves them to the sequence's codec.
    public var coder: (any KVCoder)?
    /// Merges the rows of neighbouring layers behind the prompt; nil leaves each layer its own.
    public var layers: MiniCache?
    /// True if rows are chosen by what a question's tokens would attend to, which are computed behind what is there
    /// whenever rows are due to go, and forgotten (``CompressedCache/question``). Answers, whose prompts are
    /// computed whole, have the question at their end.
    public var asks = false
    /// Episodes of a conversation, each with rows of its own: what is asked is then the part that stands for the
    /// episode which is most like the question (``Episodes``). 0 for none.
    public var episodes = 0

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
    /// Whether any of its parts looks at tokens.
    var needsTokens: Bool { scorer.needsTokens || selector?.needsTokens ?? false }
    /// Whether any of its parts looks at queries (``KVRows/queries``).
    public var needsQueries: Bool {
        scorer.needsQueries || allocator.needsQueries || disposer.needsQueries || selector?.needsQueries ?? false
    }
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
    /// Those of all tokens, and beside them those of the last ones
    /// (``KVRows/recentAttention``).
    case allAndLast(Int)

    /// The last tokens whose weights are wanted by themselves; nil if none are.
    package var window: Int? {
        switch self {
        case .none, .all: nil
        case .last(let window), .allAndLast(let window): window
        }
    }
    /// Whether the weights of all tokens are wanted.
    package var countsAll: Bool {
        switch self {
        case .none, .last: false
        case .all, .allAndLast: true
        }
    }
}

/// A part of a policy that may look at the last tokens' queries.
public protocol QueryReader: Sendable {
    /// True if queries are wanted beside keys. False if left out.
    var needsQueries: Bool { get }
}

extension QueryReader {
    /// Not wanted.
    public var needsQueries: Bool { false }
}

/// Scores the rows of a head: the part of a policy that says which are evicted first.
public protocol TokenScorer: QueryReader {
    /// The weights that ``KVRows/attention`` is to hold.
    var needs: AttentionNeed { get }
    /// True if ``KVRows/attentionSquares`` are wanted, too: by the scorer, or by an allocator beside
    /// it. False if left out.
    var needsSquares: Bool { get }
    /// True if ``KVRows/tokens`` are wanted. False if left out.
    var needsTokens: Bool { get }
    /// True if rows of a page score alike, so that whole pages go and no row moves. False if left out.
    var wholePages: Bool { get }
    /// What attention of all tokens counts for after an eviction: less than 1 forgets slowly. 1 if left
    /// out.
    var decay: Float { get }
    /// A score for each row, in order; the lowest go first, infinity stays. Of equal scores the
    /// earlier row goes.
    ///
    /// - Complexity: should be O(rows·dimension) at most: it is called for each head.
    func scores(_ rows: KVRows) -> [Float]
}

extension TokenScorer {
    /// Not wanted.
    public var needsSquares: Bool { false }
    /// Not wanted.
    public var needsTokens: Bool { false }
    /// Rows go one by one.
    public var wholePages: Bool { false }
    /// Nothing is forgotten.
    public var decay: Float { 1 }
}

/// Makes use of evicted rows: drops them, or merges them into kept ones.
public protocol Disposer: QueryReader {
    /// The share of a key's elements that rows which it changes keep; the others are 0, and do not
    /// count as bytes. 1 if left out.
    var keyShare: Double { get }
    /// - Parameters:
    ///   - lost: indexes of the evicted rows among `rows`, in order.
    ///   - kept: those of the others, in order.
    ///   - rows: all rows of a head before the eviction.
    /// - Returns: new contents of kept rows.
    func dispose(lost: [Int], kept: [Int], of rows: KVRows) -> [KVChange]
}

extension Disposer {
    /// All.
    public var keyShare: Double { 1 }
}

/// New contents of a row.
public struct KVChange: Sendable, Equatable {
    /// The row that changes, by its index before the eviction.
    public var row: Int
    /// Its key as it is stored, with its position in it, and its value.
    public var key: [Float], value: [Float]
    /// Its merge count: rows that it stands for.
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
