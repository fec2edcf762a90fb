import Foundation
import MnemeBase

/// A question, or another text, and the text that it should find: what an embedder learns from.
public struct TextPair: Sendable, Equatable {
    /// What is asked.
    public var question: String
    /// What should be found.
    public var text: String
    /// Texts that are near the question and do not answer it (hard negatives).
    public var negatives: [String]
    /// Names what the pair was made from, such as memories: pairs that share one are held out together.
    public var sources: [String]

    /// A pair.
    public init(_ question: String, _ text: String, negatives: [String] = [], sources: [String]) {
        (self.question, self.text) = (question, text)
        (self.negatives, self.sources) = (negatives, sources)
    }
}

/// Which pairs are learned in which step, and which are held out: by the seed alone, so that a
/// training that goes on has the same steps as one that never stopped.
package struct PairPlan: Sendable {
    /// Pairs of a step at most, and the fewest that have enough to be told apart from.
    package static let batch = 64, fewest = 8
    /// Pairs that are held out at most.
    static let mostHeldOut = 256

    package let learned, heldOut: [TextPair]
    private let seed: UInt64

    /// A tenth of the sources are held out, with all pairs that were made from them.
    ///
    /// - Throws: ``TrainingError`` for too few pairs.
    package init(_ pairs: [TextPair], seed: UInt64) throws {
        var sources: [String] = []
        var seen: Set<String> = []
        for source in pairs.flatMap(\.sources) where seen.insert(source).inserted { sources.append(source) }
        var generator = SplitMix64(seed: SplitMix64.mixed(seed ^ 0x70_6169_7273))
        sources.shuffle(using: &generator)
        let held = Set(sources.prefix(sources.count / 10))
        let isHeld = pairs.map { !held.isDisjoint(with: $0.sources) }
        learned = zip(pairs, isHeld).filter { !$0.1 }.map(\.0)
        heldOut = Array(zip(pairs, isHeld).filter(\.1).map(\.0).shuffled(using: &generator).prefix(Self.mostHeldOut))
        self.seed = seed
        guard learned.count >= Self.fewest else {
            throw TrainingError(
                .emptySelection,
                "\(pairs.count) pairs of a question and a text are too few to learn from; \(Self.fewest) and more beside those that are held out are needed. Remember more, or select more: --from all."
            )
        }
    }

    /// The batches of an epoch, counted from 0, in order.
    package func batches(epoch: Int) -> [[TextPair]] {
        var generator = SplitMix64(seed: SplitMix64.mixed(seed &+ UInt64(epoch) &+ 1))
        let order = learned.shuffled(using: &generator)
        // Equal parts: a small one at the end would have little to be told apart from.
        let count = (order.count + Self.batch - 1) / Self.batch
        return (0..<count).map { Array(order[order.count * $0 / count..<order.count * ($0 + 1) / count]) }
    }
}
