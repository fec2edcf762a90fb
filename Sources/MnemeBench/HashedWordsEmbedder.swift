public import MnemeBase
import MnemeIndex

/// Vectors by feature hashing (Weinberger et al., 2009): each word adds to a few elements, so that
/// texts with the same words are near. Without a model and fast, for measurements of size.
public struct HashedWordsEmbedder: TextEmbedder {
    /// Elements of a vector.
    public let dimension: Int
    /// Texts are not cut.
    public let maximumTokens = Int.max
    /// Names the way and the length.
    public var identifier: String { "hashed-words-\(dimension)" }
    /// Elements that a word adds to.
    private static let spread = 6

    /// - Parameter dimension: elements of a vector.
    public init(dimension: Int = 384) { self.dimension = max(1, dimension) }

    /// One vector for each text.
    ///
    /// - Complexity: O(words), and O(dimension) a text.
    public func embed(_ texts: [String]) throws -> Embeddings {
        var values: [Float] = []
        values.reserveCapacity(texts.count * dimension)
        for text in texts {
            var vector = [Float](repeating: 0, count: dimension)
            for word in TextAnalyzer.words(text) {
                var generator = SplitMix64(seed: TermCounts.wideHash(word))
                for _ in 0..<Self.spread {
                    let bits = generator.next()
                    vector[Int(bits >> 33) % dimension] += bits & 1 == 0 ? 1 : -1
                }
            }
            let norm = max(1e-6, vector.reduce(0) { $0 + $1 * $1 }.squareRoot())
            values += vector.lazy.map { $0 / norm }
        }
        return Embeddings(dimension: dimension, values: values)
    }

    /// Its words.
    public func tokenCount(_ text: String) -> Int { TextAnalyzer.words(text).count }
}
