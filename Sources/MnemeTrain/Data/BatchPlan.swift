import MnemeBase

/// Which sequences are learned in which step, and which are held out: by the seed alone, so that a
/// training that goes on has the same steps as one that never stopped.
package struct BatchPlan: Sendable {
    /// Sequences of a step, and tokens of it at most.
    static let sequences = 8
    static let tokens = 2048

    package let learned: [ExampleEncoder.Sequence]
    /// A tenth, from ten sequences on. Of a group (``TrainingExample/group``) one of at least three,
    /// so that what it says is learned from the others; of sequences without a group, any.
    package let heldOut: [ExampleEncoder.Sequence]
    private let seed: UInt64

    /// - Throws: ``TrainingError`` if no sequence has anything to learn.
    package init(_ sequences: [ExampleEncoder.Sequence], seed: UInt64) throws {
        let usable = sequences.filter { $0.tokens.count > $0.promptTokens }
        guard !usable.isEmpty else {
            throw TrainingError(
                .emptySelection, "There is nothing to learn: no example has a completion.")
        }
        var generator = SplitMix64(seed: SplitMix64.mixed(seed ^ 0x68_656c_645f))
        let order = usable.indices.shuffled(using: &generator)
        let sizes = Dictionary(usable.compactMap { $0.group }.map { ($0, 1) }, uniquingKeysWith: +)
        var taken: Set<String> = []
        let held = order.filter { index in
            guard let group = usable[index].group else { return true }
            return sizes[group, default: 0] >= 3 && taken.insert(group).inserted
        }.prefix(usable.count / 10)
        heldOut = held.map { usable[$0] }
        learned = Set(order).subtracting(held).sorted().map { usable[$0] }
        self.seed = seed
    }

    /// The batches of an epoch, counted from 0, in order.
    func batches(epoch: Int) -> [TrainingBatch] {
        var generator = SplitMix64(seed: SplitMix64.mixed(seed &+ UInt64(epoch) &+ 1))
        return Self.packed(learned.shuffled(using: &generator))
    }

    /// The held-out sequences as batches.
    var heldOutBatches: [TrainingBatch] { Self.packed(heldOut) }

    /// The most tokens of a batch.
    var batchTokens: Int {
        min(
            max(Self.tokens, (learned + heldOut).map(\.tokens.count).max() ?? 0),
            (learned + heldOut).map(\.tokens.count).sorted(by: >).prefix(Self.sequences)
                .reduce(0, +))
    }

    private static func packed(_ sequences: [ExampleEncoder.Sequence]) -> [TrainingBatch] {
        var batches: [TrainingBatch] = []
        var batch = TrainingBatch()
        for sequence in sequences {
            let isFull =
                batch.sequences.count == Self.sequences
                || batch.tokens.count + sequence.tokens.count > Self.tokens
            if isFull, !batch.tokens.isEmpty {
                batches.append(batch)
                batch = TrainingBatch()
            }
            batch.add(sequence.tokens, promptTokens: sequence.promptTokens)
        }
        if !batch.tokens.isEmpty { batches.append(batch) }
        return batches
    }
}
