public import MnemeModels

/// The episodes of a conversation, each with the part of it that stands for it: rows are kept by what that part
/// attends to, and a question is asked of the episode that is most like it (EpiCache, Kim et al. 2025).
///
/// Parts (messages, or so many tokens of a long one) are compared by the mean of their tokens' embeddings, less
/// that of all; the paper takes a sentence encoder. Rows of the other episodes would lie elsewhere meanwhile:
/// here only those of the one that is asked are made.
public struct Episodes: Sendable {
    /// The tokens of the part that is nearest to the middle of each episode.
    public let medoids: [[Int32]]
    /// The episode of each part, in order.
    public let assignments: [Int]
    private let centroids: [[Float]]
    private let mean: [Float]
    private let embedding: @Sendable (Int32) -> [Float]

    /// Groups a text's parts into episodes (k-means, from parts that are far from each other on).
    ///
    /// - Parameters:
    ///   - tokens: of the conversation.
    ///   - count: episodes at most.
    ///   - ends: tokens that end a part.
    ///   - decoder: whose embeddings compare them.
    public init(_ tokens: [Int32], count: Int, ends: Set<Int32>, decoder: TransformerDecoder) {
        self.init(Self.parts(tokens, ends: ends), count: count) { decoder.embedding(of: $0) }
    }

    /// The same of parts, by any embeddings.
    package init(_ parts: [[Int32]], count: Int, embedding: @escaping @Sendable (Int32) -> [Float]) {
        self.embedding = embedding
        let raw = parts.map { Self.mean(of: $0, embedding) }
        let mean = raw.isEmpty ? [] : raw.mean
        let vectors = raw.map { Self.direction($0, less: mean) }
        var centroids: [[Float]] = vectors.isEmpty ? [] : [vectors[0]]
        while centroids.count < min(count, vectors.count) {
            // The part that is least like any so far.
            let far = vectors.indices.min { a, b in
                let (x, y) = (Self.best(vectors[a], centroids).value, Self.best(vectors[b], centroids).value)
                return (x, a) < (y, b)
            }
            guard let far, Self.best(vectors[far], centroids).value < 0.999 else { break }
            centroids.append(vectors[far])
        }
        var assignments = vectors.map { Self.best($0, centroids).index }
        for _ in 0..<16 {
            centroids = centroids.indices.map { episode in
                let members = vectors.indices.filter { assignments[$0] == episode }.map { vectors[$0] }
                return members.isEmpty ? centroids[episode] : Self.direction(members.mean, less: [])
            }
            let next = vectors.map { Self.best($0, centroids).index }
            if next == assignments { break }
            assignments = next
        }
        medoids = centroids.indices.map { episode in
            let members = vectors.indices.filter { assignments[$0] == episode }
            let likeness = members.map { Self.dot(vectors[$0], centroids[episode]) }
            let medoid = members.indices.max { likeness[$0] < likeness[$1] }.map { members[$0] }
            return medoid.map { parts[$0] } ?? []
        }
        (self.assignments, self.centroids, self.mean) = (assignments, centroids, mean)
    }

    /// The episode that a question is most like; nil if there is none.
    public func nearest(to question: [Int32]) -> Int? {
        guard !centroids.isEmpty, !question.isEmpty else { return nil }
        return Self.best(Self.direction(Self.mean(of: question, embedding), less: mean), centroids).index
    }

    /// Parts of a text: up to a token that ends one, or of 64 tokens.
    static func parts(_ tokens: [Int32], ends: Set<Int32>, longest: Int = 64) -> [[Int32]] {
        var parts: [[Int32]] = []
        var part: [Int32] = []
        for token in tokens {
            part.append(token)
            guard ends.contains(token) || part.count == longest else { continue }
            parts.append(part)
            part = []
        }
        // What says next to nothing belongs to what stands before it.
        return (parts + (part.isEmpty ? [] : [part])).reduce(into: []) { parts, part in
            if part.count < 8, let last = parts.indices.last { parts[last] += part } else { parts.append(part) }
        }
    }

    private static func mean(of tokens: [Int32], _ embedding: (Int32) -> [Float]) -> [Float] {
        tokens.map(embedding).mean
    }

    /// A vector less another, of length 1.
    private static func direction(_ vector: [Float], less mean: [Float]) -> [Float] {
        let moved = mean.isEmpty ? vector : zip(vector, mean).map { $0 - $1 }
        let length = dot(moved, moved).squareRoot()
        return length > 1e-12 ? moved.map { $0 / length } : moved
    }

    private static func dot(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    private static func best(_ vector: [Float], _ centroids: [[Float]]) -> (index: Int, value: Float) {
        centroids.enumerated().map { ($0, dot(vector, $1)) }.max { $0.1 < $1.1 }.map { ($0.0, $0.1) } ?? (0, -1)
    }
}
