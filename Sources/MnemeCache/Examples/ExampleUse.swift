import Foundation

/// What it is worth to show kept answers to a smaller model as examples, learned from how its answers turned out.
///
/// After IC-Cache (Yu et al. 2025 [87]): of the answers to similar questions those are shown that helped before, and the
/// smaller model is asked only where its answer is likely to be good; the large one otherwise. Three things are learned: the
/// use of each kept answer, how well questions like this one went, and how much both count. The same outcomes in the same
/// order give the same choices.
public struct ExampleUse: Sendable, Codable, Equatable {
    /// A kept answer that may be shown.
    public struct Candidate: Sendable, Equatable {
        /// The entry's number.
        public var id: Int64
        /// The cosine of its question and the one that is asked.
        public var similarity: Double

        /// An entry and its similarity.
        public init(id: Int64, similarity: Double) { (self.id, self.similarity) = (id, similarity) }
    }

    /// How often an entry was shown, and how often the answer was good then.
    private struct Shown: Sendable, Codable, Equatable {
        var times = 0.0, good = 0.0
        /// The share of good answers, from a half on.
        var share: Double { (good + 1) / (times + 2) }
    }

    /// A question whose smaller model's answer was judged.
    private struct Outcome: Sendable, Codable, Equatable {
        var vector: [Float], isGood: Bool
    }

    private var entries: [Int64: Shown] = [:]
    /// The latest outcomes, the oldest first.
    private var outcomes: [Outcome] = []
    /// Weights of ``row(_:like:)``; they begin where similar questions and examples of good use count.
    private var weights: [Double] = [-1, 1.5, 2, 4]

    /// Outcomes that are kept at most, and those that a question is compared with.
    private static let mostOutcomes = 1_000, compared = 8
    /// The step of a judgement, and the weight of an entry's use beside its similarity.
    private static let rate = 0.1, useWeight = 0.5

    /// Nothing is known yet: similarity alone chooses.
    public init() {}

    /// Outcomes that are known.
    public var outcomeCount: Int { outcomes.count }

    /// The share of good answers behind an entry; a half of one that was never shown.
    public func share(of id: Int64) -> Double { (entries[id] ?? Shown()).share }

    /// The candidates that are shown, the least useful first, so that the best stands next to the question.
    ///
    /// - Parameters:
    ///   - candidates: similar entries.
    ///   - count: how many at most.
    public func chosen(of candidates: [Candidate], count: Int = 3) -> [Candidate] {
        func worth(_ candidate: Candidate) -> Double {
            candidate.similarity + Self.useWeight * (share(of: candidate.id) - 0.5)
        }
        let best = candidates.sorted { (worth($1), $0.id) < (worth($0), $1.id) }.prefix(max(0, count))
        return best.reversed()
    }

    /// How likely the smaller model's answer is good with these examples, from 0 to 1.
    ///
    /// - Parameters:
    ///   - examples: what it is shown.
    ///   - vector: the question's.
    /// - Complexity: linear in the outcomes.
    public func quality(with examples: [Candidate], vector: [Float]) -> Double {
        Self.logistic(weights, row(examples, like: vector))
    }

    /// Learns from a judged answer.
    ///
    /// - Parameters:
    ///   - isGood: whether the smaller model's answer was.
    ///   - examples: what it was shown.
    ///   - vector: the question's.
    public mutating func learn(_ isGood: Bool, with examples: [Candidate], vector: [Float]) {
        let row = row(examples, like: vector)
        let miss = (isGood ? 1 : 0) - Self.logistic(weights, row)
        for place in weights.indices { weights[place] += Self.rate * miss * row[place] }
        for example in examples {
            var shown = entries[example.id] ?? Shown()
            shown.times += 1
            shown.good += isGood ? 1 : 0
            entries[example.id] = shown
        }
        outcomes.append(Outcome(vector: vector, isGood: isGood))
        if outcomes.count > Self.mostOutcomes { outcomes.removeFirst(outcomes.count - Self.mostOutcomes) }
    }

    /// Forgets entries that are gone.
    public mutating func forget(_ ids: [Int64]) { for id in ids { entries[id] = nil } }

    /// One, the nearest example's similarity, the examples' use, and how well the most similar questions went.
    private func row(_ examples: [Candidate], like vector: [Float]) -> [Double] {
        let uses = examples.map { share(of: $0.id) - 0.5 }
        let near = outcomes.map { (similarity: max(0, Self.product($0.vector, vector)), isGood: $0.isGood) }
            .sorted { $0.similarity > $1.similarity }.prefix(Self.compared)
        // Far ones count little: the fourth power of a cosine of a half is a sixteenth. One outcome of a half stands beside.
        let weights = near.map { pow($0.similarity, 4) }
        let good = zip(near, weights).reduce(0.5) { $0 + ($1.0.isGood ? $1.1 : 0) }
        return [
            1, examples.map(\.similarity).max() ?? 0, uses.reduce(0, +) / Double(max(1, uses.count)),
            good / (1 + weights.reduce(0, +)) - 0.5,
        ]
    }

    private static func logistic(_ weights: [Double], _ row: [Double]) -> Double {
        1 / (1 + exp(-zip(weights, row).reduce(0) { $0 + $1.0 * $1.1 }))
    }

    private static func product(_ a: [Float], _ b: [Float]) -> Double {
        a.count == b.count ? zip(a, b).reduce(0) { $0 + Double($1.0 * $1.1) } : 0
    }
}
