/// Stands for pages of a head's keys by a vector or two, by which the best pages for a token are
/// told from the others: all rows are kept, and attention reads some.
///
/// A page has ``KVShape/blockTokens`` rows. Each token reads, beside the pages that score best, a
/// head's first page, the last full one, and the one that is being filled. See
/// ``KVPolicy/selector``.
public protocol KVSelector: Sendable {
    /// The first layers, whose attention reads all rows.
    var wholeLayers: Int { get }
    /// Vectors that stand for a page: one, whose inner product with the query is its score; or two,
    /// the lowest and the highest elements of its keys, which bound their scores.
    var vectors: Int { get }
    /// The share of the pages read that are chosen by ``KVPageSummary/dissimilarity``, for all tokens.
    var outliers: Double { get }
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

/// Bounds the scores of a page's keys by their lowest and highest elements, and reads the pages
/// whose bound is highest (Quest, Tang et al. 2024).
///
/// The bound of a query q is Σ max(qᵢ·lowᵢ, qᵢ·highᵢ). The first two layers, whose attention is not
/// sparse, read all.
public struct Quest: KVSelector {
    /// The paper's two.
    public var wholeLayers: Int
    /// The lowest and the highest elements.
    public var vectors: Int { 2 }
    /// None.
    public var outliers: Double { 0 }

    /// By default with the paper's two layers that read all.
    public init(wholeLayers: Int = 2) { self.wholeLayers = wholeLayers }

    /// The lowest and the highest of each element.
    public func summary(_ keys: [[Float]]) -> KVPageSummary {
        var low = keys[0]
        var high = keys[0]
        for key in keys.dropFirst() {
            for (i, x) in key.enumerated() {
                low[i] = min(low[i], x)
                high[i] = max(high[i], x)
            }
        }
        return KVPageSummary(vectors: [low, high])
    }
}

/// Reads the pages whose mean key scores highest, and always those whose keys their mean stands for
/// worst (the landmarks and outliers of ShadowKV, Sun et al. 2025).
///
/// This is the paper's choice of what to read. Its low-rank keys and values kept elsewhere are not
/// here, and a page has 32 rows instead of 8.
public struct ShadowKV: KVSelector {
    /// None: all layers choose.
    public var wholeLayers: Int { 0 }
    /// The mean.
    public var vectors: Int { 1 }
    /// The paper's 48 of some 300 chunks read.
    public var outliers: Double

    /// By default with the paper's share of outliers.
    public init(outliers: Double = 0.16) { self.outliers = outliers }

    /// The mean key, and one less the least cosine of a key to it.
    public func summary(_ keys: [[Float]]) -> KVPageSummary {
        var mean = [Float](repeating: 0, count: keys[0].count)
        for key in keys {
            for (i, x) in key.enumerated() { mean[i] += x / Float(keys.count) }
        }
        func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        let square = dot(mean, mean)
        let least = keys.map { dot($0, mean) / max((dot($0, $0) * square).squareRoot(), 1e-9) }.min()
        return KVPageSummary(vectors: [mean], dissimilarity: 1 - (least ?? 1))
    }
}
