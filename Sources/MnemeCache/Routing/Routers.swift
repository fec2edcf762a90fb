import Foundation

/// Asks the small model where it did well on the most similar questions.
public struct SimilarityRouter: ModelRouter {
    /// How commands and tables call it.
    public static let name = "similarity"
    /// No model is asked before.
    public static let stage = RouterStage.before
    /// Neighbours that have a say.
    private static let neighbours = 5
    private let examples: [RoutedQuestion]

    /// Keeps the examples that have vectors.
    public init(examples: [RoutedQuestion]) { self.examples = examples.filter { $0.vector != nil } }

    /// The share of good answers among the nearest examples, by their similarity.
    ///
    /// - Complexity: linear in the examples.
    public func share(_ question: RoutedQuestion) -> Double? {
        guard let vector = question.vector, !examples.isEmpty else { return nil }
        let near = examples.map { (similarity: dot($0.vector ?? [], vector), good: $0.small) }
            .sorted { $0.similarity > $1.similarity }.prefix(Self.neighbours)
        let weights = near.map { max(0, $0.similarity) }
        let all = weights.reduce(0, +)
        guard all > 0 else { return nil }
        return zip(near, weights).reduce(0) { $0 + ($1.0.good ? $1.1 : 0) } / all
    }
}

/// A logistic regression over the question's vector.
public struct ClassifierRouter: ModelRouter {
    /// How commands and tables call it.
    public static let name = "classifier"
    /// No model is asked before.
    public static let stage = RouterStage.before
    private var weights: [Double] = [], bias = 0.0

    /// Two hundred steps of gradient descent over all examples, with a little decay; the same
    /// examples give the same weights.
    public init(examples: [RoutedQuestion]) {
        let known = examples.compactMap { example in example.vector.map { ($0, example.small ? 1.0 : 0.0) } }
        guard let dimension = known.first?.0.count else { return }
        weights = [Double](repeating: 0, count: dimension)
        for _ in 0..<200 {
            var change = [Double](repeating: 0, count: dimension)
            var shift = 0.0
            for (vector, good) in known where vector.count == dimension {
                let miss = good - probability(vector)
                for place in 0..<dimension { change[place] += miss * Double(vector[place]) }
                shift += miss
            }
            let rate = 10 / Double(known.count)
            for place in 0..<dimension { weights[place] += rate * change[place] - 0.001 * weights[place] }
            bias += rate / 10 * shift
        }
    }

    /// The probability that the regression gives; nil without a vector or examples.
    public func share(_ question: RoutedQuestion) -> Double? {
        guard let vector = question.vector, vector.count == weights.count else { return nil }
        return probability(vector)
    }

    private func probability(_ vector: [Float]) -> Double {
        1 / (1 + exp(-bias - zip(weights, vector).reduce(0) { $0 + $1.0 * Double($1.1) }))
    }
}

/// Takes the small model's answer if its tokens were likely.
public struct CascadeRouter: ModelRouter {
    /// How commands and tables call it.
    public static let name = "cascade"
    /// The small model has answered.
    public static let stage = RouterStage.after

    /// Learns nothing.
    public init(examples: [RoutedQuestion]) {}

    /// The answer's confidence.
    public func share(_ question: RoutedQuestion) -> Double? { question.confidence }
}

/// Goes by what a model says of the question.
public struct JudgeRouter: ModelRouter {
    /// How commands and tables call it.
    public static let name = "judge"
    /// A model has been asked what it thinks.
    public static let stage = RouterStage.judged

    /// Learns nothing.
    public init(examples: [RoutedQuestion]) {}

    /// What the model said.
    public func share(_ question: RoutedQuestion) -> Double? { question.judged }
}

/// The inner product of two vectors of one length; 0 of others.
private func dot(_ a: [Float], _ b: [Float]) -> Double {
    a.count == b.count ? zip(a, b).reduce(0) { $0 + Double($1.0 * $1.1) } : 0
}
