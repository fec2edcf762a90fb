/// Stands for pages of a head's keys by a vector or two, by which the best pages for a token are
/// told from the others: all rows are kept, and attention reads some.
///
/// A page has ``KVShape/blockTokens`` rows. Each token reads, beside the pages that score best, a
/// head's first page, the last full one, and the one that is being filled. See
/// ``KVPolicy/selector``.
public protocol KVSelector: QueryReader {
    /// The first layers, whose attention reads all rows.
    var wholeLayers: Int { get }
    /// Vectors that stand for a page: one, whose inner product with the query is its score; or two,
    /// the lowest and the highest elements of its keys, which bound their scores.
    var vectors: Int { get }
    /// True if pages that are not read count by their mean keys and values, as one row each that weighs as
    /// much as theirs. False if left out.
    var estimates: Bool { get }
    /// The share of the pages read that are chosen by ``KVPageSummary/dissimilarity``, for all tokens.
    var outliers: Double { get }
    /// The last layer that chooses, in share of all layers: deeper ones read the pages that it chose,
    /// for all of its heads together. 1 if left out: each layer and head chooses by itself.
    var lastChoosing: Double { get }
    /// True if the pages of the next token are fetched before it is there, by a guess of its query: this one's, a
    /// position further on. It is counted (`KVSelectionAudit`), as all pages are in memory. False if left out.
    var looksAhead: Bool { get }
    /// True if the rows' tokens are wanted, too. False if left out.
    var needsTokens: Bool { get }
    /// True if rows are put into other pages (``order(_:)``). False if left out.
    var arranges: Bool { get }
    /// The order of a head's rows by which like ones share a page; positions are in the keys, so that
    /// attention does not depend on it. As they are if left out.
    ///
    /// - Parameter keys: of the rows of whole pages of a prompt, without its first and its last ones.
    /// - Returns: indexes of rows, each once.
    func order(_ keys: [[Float]]) -> [Int]
    /// What stands for a page.
    ///
    /// - Parameter keys: of its rows, rotated by their positions.
    /// - Complexity: O(rows·dimension); called once for each page.
    func summary(_ keys: [[Float]]) -> KVPageSummary
}

/// What stands for a page of keys.
public struct KVPageSummary: Sendable {
    /// As many as ``KVSelector/vectors``, of the keys' elements.
    public var vectors: [[Float]]
    /// How badly the vectors stand for the page's keys: pages with the highest are outliers.
    public var dissimilarity: Float

    /// A page's vectors.
    public init(vectors: [[Float]], dissimilarity: Float = 0) {
        self.vectors = vectors
        self.dissimilarity = dissimilarity
    }
}

extension KVSelector {
    /// Each layer.
    public var lastChoosing: Double { 1 }
    /// What is not read is left out.
    public var estimates: Bool { false }
    /// What comes next is seen when it comes.
    public var looksAhead: Bool { false }
    /// Not wanted.
    public var needsTokens: Bool { false }
    /// Not.
    public var arranges: Bool { false }
    /// As they are.
    public func order(_ keys: [[Float]]) -> [Int] { Array(keys.indices) }
}
