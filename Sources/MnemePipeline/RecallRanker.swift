/// The fourth stage: weighs the features of a candidate. Its score is the sum of what they
/// contribute, so that every score explains itself.
public protocol RecallRanker: Sendable {
    /// The contribution of each feature to the score.
    func contributions(of features: RecallFeatures) -> RecallFeatures
}

extension RecallRanker {
    /// The score of a candidate.
    public func score(_ features: RecallFeatures) -> Float { contributions(of: features).sum }
}
