public import MnemePipeline

/// Linear fusion: each feature times a weight.
///
/// Linear, so that each feature's share of a score can be shown, and the shares add up to it.
public struct FusionRanker: RecallRanker {
    /// A weight for each feature.
    public var weights: RecallFeatures

    /// A ranker with these weights.
    public init(weights: RecallFeatures = Self.fitted) { self.weights = weights }

    /// Weights fitted by `scripts/fit_fusion.py` on the five development conversations of LoCoMo: a
    /// linear ranker with a softmax over all memories of a conversation and an L2 penalty. Judged
    /// by leaving one conversation out; the values here are the mean over the five folds. `latest`
    /// is not fitted, since hardly a question there asks for what holds now.
    public static let fitted = RecallFeatures([
        .words: 1.84, .wordsNearby: 4.97, .wordsInSession: 3.5,
        .meaning: 3.26, .meaningNearby: 3.16, .meaningAround: 3.77,
        .speaker: 1.26, .coverage: 2.13, .detail: 3.86,
        .timeAsked: 1.71, .numberAsked: 1.35, .nameAsked: 1.5,
        .date: 3.26, .latest: 2, .related: 0.8,
    ])

    /// The products of features and weights, feature by feature; their sum is the score.
    public func contributions(of features: RecallFeatures) -> RecallFeatures { features * weights }
}
