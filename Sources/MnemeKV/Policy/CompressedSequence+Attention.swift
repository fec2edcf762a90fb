package import MnemeModels
import MnemeNumerics

/// The attention that a policy looks at, and rows as it sees them.
extension CompressedSequence {
    /// The attention that a step is to add up for the policy; nil if none.
    ///
    /// - Parameter last: of the step's tokens, the last that count.
    package func observation(last: Int) -> KVObservation? {
        guard attention.count > 0, last > 0 else { return nil }
        var observation = KVObservation(
            accumulatedAttention: attention.pointer, stride: capacity, tokens: last)
        observation.squares = squares.count > 0 ? squares.pointer : nil
        return observation
    }
    /// Has attention of rows that will be taken, of each head as many weights as there are rows.
    func setAttention(
        _ weights: UnsafePointer<Float>, squares of: UnsafePointer<Float>, rows count: Int
    ) {
        guard attention.count > 0 else { return }
        for i in positions.indices {
            (attention.pointer + i * capacity).update(from: weights + i * count, count: count)
            guard squares.count > 0 else { continue }
            (squares.pointer + i * capacity).update(from: of + i * count, count: count)
        }
    }
    /// Forgets the attention that was added up.
    package func clearAttention() {
        attention.pointer.update(repeating: 0, count: attention.count)
        squares.pointer.update(repeating: 0, count: squares.count)
    }

    /// The rows of a head as a policy sees them; valid until the next call.
    package func rows(_ layer: Int, _ head: Int) -> KVRows {
        let i = layer * configuration.kvHeads + head
        return rows(i, positions[i], budget: budget)
    }

    /// - Parameter fill: copies the rows to `scratch`; from the head's pages if left out.
    func rows(
        _ i: Int, _ positions: [Int32], budget: Int, fill: (() -> Void)? = nil
    ) -> KVRows {
        func sums(_ buffer: AlignedBuffer<Float>) -> [Float] {
            buffer.count == 0
                ? []
                : Array(
                    UnsafeBufferPointer(
                        start: buffer.pointer + i * capacity, count: positions.count))
        }
        var rows = KVRows(
            layer: i / configuration.kvHeads, head: i % configuration.kvHeads,
            dimension: configuration.headDimension, budget: budget, positions: positions,
            attention: sums(attention),
            mergeCount: (heads[i].compensationRow, heads[i].mergeCount), keys: scratch.keys,
            values: scratch.values, fill: fill ?? { [self] in if loaded != i { load(i) } })
        rows.attentionSquares = sums(squares)
        if case .last(let window) = policy.attention {
            rows.observations =
                min(window, positions.count) * configuration.heads / configuration.kvHeads
        }
        return rows
    }
}
