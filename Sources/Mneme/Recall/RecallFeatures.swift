/// What speaks for a memory as the answer to a question; each value lies between −1 and 1.
struct RecallFeatures: Sendable {
    static let names = [
        "words", "wordsNearby", "wordsInSession", "meaning", "meaningNearby", "meaningAround", "speaker", "coverage",
        "detail", "timeAsked",
        "numberAsked", "nameAsked", "date", "latest", "related",
    ]

    /// In the order of ``names``.
    var values: [Float]

    /// Weighted sum.
    func score(_ weights: [Float]) -> Float { zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } }
}

/// Weights of ``RecallFeatures``, and where they come from.
enum FusionWeights {
    /// Fitted by `scripts/fit_fusion.py` on the five development conversations of LoCoMo: a linear
    /// ranker with a softmax over all memories of a conversation and an L2 penalty. Judged by leaving
    /// one conversation out; the values here are the mean over the five folds. `latest` is not
    /// fitted, since hardly a question there asks for what holds now.
    static let standard: [Float] = [1.84, 4.97, 3.5, 3.26, 3.16, 3.77, 1.26, 2.13, 3.86, 1.71, 1.35, 1.5, 3.26, 2, 0.8]
}
