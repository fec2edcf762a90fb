/// BM25: Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, with k₁ = 1.2, b =
/// 0.75, as Lucene and Elasticsearch have them.
enum BM25 {
    private static let k1: Float = 1.2, b: Float = 0.75

    /// What a term gives where it occurs so often, in 0..<1, before its weight.
    ///
    /// It rises with `count` and falls with `length`. With another `mean` it is at most the ratio of
    /// the two means times as high, and not higher with a lower one.
    @inline(__always)
    static func saturated(_ count: Float, length: Float, mean: Float) -> Float {
        count / (count + k1 * (1 - b + b * length / mean))
    }
}

/// The mean lengths that BM25 compares with.
struct MeanLengths {
    /// Terms of a document, of a session.
    var document, session: Float
    /// Terms of a window of two neighbours on each side, at a conversation's inside.
    var window: Float { document * 5 }
}
