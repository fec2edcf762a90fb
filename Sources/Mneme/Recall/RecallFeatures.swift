/// What speaks for a memory as the answer to a question; each value lies between −1 and 1.
struct RecallFeatures: Sendable {
    static let names = [
        "words", "wordsNearby", "wordsInSession", "meaning", "meaningNearby", "meaningAround", "speaker", "coverage", "detail", "timeAsked",
        "numberAsked", "nameAsked", "date", "latest",
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
    /// fitted (the questions hold no such cue): it only decides between near equals.
    static let standard: [Float] = [1.9, 6.95, 5.42, 3.25, 3.06, 4.09, 1.27, 2.59, 3.87, 1.7, 1.41, 2.14, 3.04, 0.5]
}
