import Foundation
public import MnemeBase
public import MnemeCache

/// A memory of exact inputs before a cascade of two small complementary models, beside one large model: answers, calls and
/// energy on questions of which each comes several times.
///
/// After Kinnas et al. [245], with classifiers of texts in place of images: the answer is a question's category. The small
/// models are linear in hashed words and letters, the large one an embedding model with a softmax over its vectors. All
/// learn from one file and are judged on another. Energy is a model's: products and bytes read, by what each takes in a
/// circuit (``TrainingEnergy``).
public struct CascadeEvaluation: Sendable {
    /// A question and its category.
    public struct Question: Sendable, Codable {
        /// The text, and what is right.
        public var question: String, category: String

        /// A question of a category.
        public init(question: String, category: String) { (self.question, self.category) = (question, category) }
    }

    /// What came of one way.
    public struct Row: Sendable, Codable, Equatable {
        /// Its name.
        public var name: String
        /// Questions, and right answers.
        public var questions = 0, right = 0
        /// Answers from the memory, and calls of the first small model, of the second and of the large one.
        public var remembered = 0, first = 0, second = 0, large = 0
        /// Energy by the model.
        public var joules = 0.0
    }

    private let first: TextClassifier, second: TextClassifier, large: VectorClassifier
    private let asked: [Question], vectors: [[Float]], tokens: [Int]
    /// The confidence from which the first one's answer is taken, and the second's where a large model stands behind.
    public let threshold: Double
    private let weightsOfLarge: Int

    /// Joules of a look into the memory: a hash of some hundred bytes, and a page of the table.
    private static let joulesOfLook = 4_096 * TrainingEnergy.jouleOfByte

    /// Trains the models.
    ///
    /// - Parameters:
    ///   - training: what they learn from; every fourth question there chooses the threshold instead.
    ///   - asked: what they are judged on.
    ///   - embedder: the large model.
    ///   - weights: numbers that a token is multiplied with in the large model.
    /// - Throws: what the embedder throws, `InputError` for too few questions.
    public init(
        training: [Question], asked: [Question], embedder: any TextEmbedder, weights: Int = 10_616_832
    ) throws {
        guard training.count > 15, !asked.isEmpty else {
            throw InputError("Sixteen questions to learn from are needed at least, and one to be judged on.")
        }
        let learned = training.enumerated().filter { $0.offset % 4 != 3 }.map(\.element)
        let kept = training.enumerated().filter { $0.offset % 4 == 3 }.map(\.element)
        let examples = learned.map { (text: $0.question, label: $0.category) }
        let first = TextClassifier(.words, on: examples)
        // The second one learns most where the first is not sure, or wrong.
        let weight = examples.map { Float(1.2 - first.chance(of: $0.label, in: $0.text)) }
        let second = TextClassifier(.letters, on: examples, weight: weight)
        let vectors = try embedder.embed(learned.map(\.question), as: .document)
        large = VectorClassifier(
            learned.indices.map { (vector: Array(vectors[$0]), label: learned[$0].category) })
        (self.first, self.second, self.asked, weightsOfLarge) = (first, second, asked, weights)
        let made = try embedder.embed(asked.map(\.question), as: .document)
        self.vectors = asked.indices.map { Array(made[$0]) }
        tokens = asked.map { embedder.tokenCount($0.question) }
        // The lowest confidence that gives the most right answers of the cascade on what was kept.
        let grid = stride(from: 0.3, to: 1, by: 0.05)
        let scores = grid.map { bound in
            (bound, kept.count { Self.cascade($0.question, first, second, bound).label == $0.category })
        }
        threshold = scores.max { ($0.1, -$0.0) < ($1.1, -$1.0) }?.0 ?? 0.7
    }

    /// Asks each question so many times, in an order drawn from a seed.
    ///
    /// - Parameter times: 2 has each come again once, as in the paper.
    public func rows(times: Int = 2, seed: UInt64 = 1) -> [Row] {
        var random = SplitMix64(seed: seed)
        let order = (0..<max(1, times)).flatMap { _ in asked.indices }.shuffled(using: &random)
        let ways: [(String, memory: Bool, small: Bool, large: Bool)] = [
            ("large model", false, false, true), ("memory, large model", true, false, true),
            ("cascade of two", false, true, false), ("memory, cascade of two", true, true, false),
            ("memory, cascade, large", true, true, true),
        ]
        var single = Row(name: "first small model")
        for place in order {
            count(first.guess(asked[place].question).label, place, &single)
            (single.first, single.joules) = (single.first + 1, single.joules + joules(first, place))
        }
        var rows = [single]
        for way in ways {
            var row = Row(name: way.0)
            var known: [String: String] = [:]
            for place in order {
                let text = asked[place].question
                if way.memory {
                    row.joules += Self.joulesOfLook
                    if let answer = known[text] {
                        row.remembered += 1
                        count(answer, place, &row)
                        continue
                    }
                }
                let answer = way.small ? cascaded(place, isLargeBehind: way.large, &row) : byLarge(place, &row)
                known[text] = answer
                count(answer, place, &row)
            }
            rows.append(row)
        }
        return rows
    }

    /// What both models did with each question, for ``RouteEvaluation``: the second small model's opinion of the first one's
    /// answer is the judgement.
    public var routed: [RoutedQuestion] {
        asked.indices.map { place in
            let text = asked[place].question
            let guess = first.guess(text)
            return RoutedQuestion(
                text, small: guess.label == asked[place].category,
                large: large.label(of: vectors[place]) == asked[place].category, confidence: guess.confidence,
                judged: second.chance(of: guess.label, in: text))
        }
    }

    private func cascaded(_ place: Int, isLargeBehind: Bool, _ row: inout Row) -> String {
        let text = asked[place].question
        let guess = first.guess(text)
        (row.first, row.joules) = (row.first + 1, row.joules + joules(first, place))
        if guess.confidence >= threshold { return guess.label }
        let other = second.guess(text)
        (row.second, row.joules) = (row.second + 1, row.joules + joules(second, place))
        let best = guess.confidence > other.confidence ? guess : other
        return isLargeBehind && best.confidence < threshold ? byLarge(place, &row) : best.label
    }

    private static func cascade(
        _ text: String, _ first: TextClassifier, _ second: TextClassifier, _ threshold: Double
    ) -> TextClassifier.Guess {
        let guess = first.guess(text)
        guard guess.confidence < threshold else { return guess }
        let other = second.guess(text)
        return guess.confidence > other.confidence ? guess : other
    }

    /// The large model's answer.
    private func byLarge(_ place: Int, _ row: inout Row) -> String {
        row.large += 1
        // Weights are read once for all tokens of a question.
        let products = Double(weightsOfLarge) * Double(tokens[place])
        row.joules += products * TrainingEnergy.jouleOf32Bits + Double(weightsOfLarge) * 4 * TrainingEnergy.jouleOfByte
        return large.label(of: vectors[place])
    }

    private func joules(_ model: TextClassifier, _ place: Int) -> Double {
        Double(model.products(of: asked[place].question))
            * (TrainingEnergy.jouleOf32Bits + 4 * TrainingEnergy.jouleOfByte)
    }

    private func count(_ answer: String, _ place: Int, _ row: inout Row) {
        row.questions += 1
        row.right += answer == asked[place].category ? 1 : 0
    }
}

/// A softmax over vectors, trained by gradient descent over all examples at once.
private struct VectorClassifier: Sendable {
    private let labels: [String]
    private var weights: [[Float]]
    private static let steps = 300, rate: Float = 20

    init(_ examples: [(vector: [Float], label: String)]) {
        labels = Set(examples.map(\.label)).sorted()
        let dimension = examples.first?.vector.count ?? 0
        weights = labels.map { _ in [Float](repeating: 0, count: dimension) }
        for _ in 0..<Self.steps {
            var change = weights.map { column in column.map { -1e-4 * $0 } }
            for example in examples {
                let chances = chances(of: example.vector)
                for label in labels.indices {
                    let miss = ((labels[label] == example.label ? 1 : 0) - chances[label]) / Float(examples.count)
                    for i in 0..<dimension { change[label][i] += miss * example.vector[i] }
                }
            }
            for label in labels.indices {
                for i in 0..<dimension { weights[label][i] += Self.rate * change[label][i] }
            }
        }
    }

    func label(of vector: [Float]) -> String {
        let chances = chances(of: vector)
        return labels[chances.indices.max { (chances[$0], $1) < (chances[$1], $0) } ?? 0]
    }

    private func chances(of vector: [Float]) -> [Float] {
        let scores = weights.map { column in zip(column, vector).reduce(Float(0)) { $0 + $1.0 * $1.1 } }
        let most = scores.max() ?? 0
        let raised = scores.map { exp($0 - most) }
        let sum = raised.reduce(0, +)
        return raised.map { $0 / sum }
    }
}
