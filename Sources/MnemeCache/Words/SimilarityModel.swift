import Foundation

/// How similar two questions are: the probability that they ask the same, from the cosine of their
/// vectors and from their words.
///
/// A logistic model with four weights, learned from synthetic paraphrases and near misses by
/// `scripts/fit_cache.py`. After Gill et al., *Advancing Semantic Caching for LLMs with
/// Domain-Specific Embeddings and Synthetic Data* (2025), who fine-tune the embedding model itself on
/// such pairs: here the embedding model stays as it is, and only what is made of its cosine is
/// learned. The weights hold for all-MiniLM-L6-v2; other models' cosines lie elsewhere, so that
/// thresholds have to be set for them.
public struct SimilarityModel: Sendable {
    /// Weights of the cosine, of the shared words, of the shared letters, and what is added; nil
    /// takes the cosine as it is.
    private let weights: (cosine: Double, words: Double, letters: Double, bias: Double)?
    /// True if ``QuestionDifference`` has a say.
    public let checksWords: Bool

    private init(_ weights: (Double, Double, Double, Double)?, checksWords: Bool) {
        (self.weights, self.checksWords) = (weights, checksWords)
    }

    /// The learned weights, and the rules for words.
    public static let learned = SimilarityModel((12, 3, 2, -11), checksWords: true)
    /// The cosine of the embedding model alone, to compare with.
    public static let cosine = SimilarityModel(nil, checksWords: false)
    /// The cosine, and the rules for words.
    public static let cosineAndWords = SimilarityModel(nil, checksWords: true)

    /// The probability that two questions ask the same.
    ///
    /// - Parameter cosine: of their vectors.
    func probability(_ a: QuestionWords, _ b: QuestionWords, cosine value: Double) -> Double {
        guard let weights else { return max(0, min(1, value)) }
        let features = Self.features(a, b)
        let sum = weights.bias + weights.cosine * value + weights.words * features.words
        return 1 / (1 + exp(-sum - weights.letters * features.letters))
    }

    /// What is learned from besides the cosine: shares of common words and of common pairs of
    /// letters, each from 0 to 1.
    public static func features(_ a: String, _ b: String) -> (words: Double, letters: Double) {
        features(QuestionWords(a), QuestionWords(b))
    }

    /// Shares of common words and of common pairs of letters, each from 0 to 1.
    static func features(_ a: QuestionWords, _ b: QuestionWords) -> (words: Double, letters: Double) {
        (share(Set(a.content + a.numbers), Set(b.content + b.numbers)), share(pairs(a), pairs(b)))
    }

    /// Common elements among all (Jaccard); 1 of two empty sets.
    private static func share<Element: Hashable>(_ a: Set<Element>, _ b: Set<Element>) -> Double {
        let all = a.union(b).count
        return all == 0 ? 1 : Double(a.intersection(b).count) / Double(all)
    }

    /// Pairs of letters within the words that carry meaning.
    private static func pairs(_ question: QuestionWords) -> Set<String> {
        var found: Set<String> = []
        for word in question.stems {
            let letters = Array(word)
            for place in letters.indices.dropLast() {
                found.insert(String(letters[place...place + 1]))
            }
        }
        return found
    }
}
