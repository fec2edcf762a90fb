package import MnemeModels
import MnemeNumerics

/// The attention that a policy looks at, and rows as it sees them.
extension CompressedSequence {
    /// The attention that a step is to add up for the policy; nil if none.
    ///
    /// - Parameters:
    ///   - last: of the step's tokens, the last that count.
    ///   - recent: those that count as the last ones, where they are asked for beside all.
    package func observation(last: Int, recent latest: Int = 0) -> KVObservation? {
        let counts = attention.count > 0 && last > 0
        guard counts || queries.count > 0 else { return nil }
        var observation = KVObservation(
            accumulatedAttention: attention.pointer, stride: capacity, tokens: counts ? last : 0)
        observation.squares = squares.count > 0 ? squares.pointer : nil
        if recent.count > 0 { (observation.recentAttention, observation.recentTokens) = (recent.pointer, latest) }
        observation.queries = queries.count > 0 ? queries.pointer : nil
        return observation
    }
    /// Has attention and queries of a prompt that will be taken.
    func observe(_ prompt: ExactPrompt) {
        let count = prompt.tokens.count
        let need = policy.attention
        func copy(_ weights: AlignedBuffer<Float>?, to target: AlignedBuffer<Float>) {
            guard let weights, target.count > 0 else { return }
            for i in positions.indices {
                (target.pointer + i * capacity).update(from: weights.pointer + i * count, count: count)
            }
        }
        let whole = need.countsAll ? AttentionNeed.all : need
        copy(prompt.attention[whole], to: attention)
        copy(prompt.squares[whole], to: squares)
        copy(need.window.flatMap { prompt.attention[.last($0)] }, to: recent)
        guard queries.count > 0 else { return }
        queries.pointer.update(from: prompt.queries.pointer, count: queries.count)
    }
    /// Forgets the attention that was added up: of the last tokens alone where that of all stays.
    package func clearAttention() {
        recent.pointer.update(repeating: 0, count: recent.count)
        guard !policy.attention.countsAll else { return }
        attention.pointer.update(repeating: 0, count: attention.count)
        squares.pointer.update(repeating: 0, count: squares.count)
    }

    /// Counts how many of the rows that the last tokens attended to most at the last eviction are so again
    /// (Scissorhands' persistence of importance), of rows that were there then.
    func notePivots(_ i: Int, _ positions: [Int32], _ scores: [Float]) {
        guard case .every = policy.trigger, case .last = policy.attention else { return }
        let rows = positions.indices.filter { scores[$0] < .infinity }
        func most(_ rows: [Int], _ count: Int) -> Set<Int32> {
            Set(rows.sorted { (scores[$0], $0) > (scores[$1], $1) }.prefix(count).map { positions[$0] })
        }
        let last = pivots[i]
        if !last.isEmpty, let newest = last.max() {
            let again = most(rows.filter { positions[$0] <= newest }, last.count).intersection(last)
            persistence.sum += Double(again.count) / Double(last.count)
            persistence.count += 1
        }
        // A quarter of the budget: few enough that chance would find few of them again.
        pivots[i] = most(rows, max(1, budget / 4))
    }

    /// The last tokens' queries of a head's group, up to the token at `last`.
    func queries(_ i: Int, upTo last: Int) -> [[[Float]]] {
        let d = configuration.headDimension
        let group = configuration.heads / configuration.kvHeads
        let room = KVObservation.queryTokens
        return (0..<group).map { member in
            (max(0, last + 1 - room)...last).map { position in
                let start = queries.pointer + ((i * group + member) * room + position % room) * d
                return Array(UnsafeBufferPointer(start: start, count: d))
            }
        }
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
            mergeCounts: mergeCounts[i], keys: scratch.keys,
            values: scratch.values, fill: fill ?? { [self] in if loaded != i { load(i) } })
        rows.attentionSquares = sums(squares)
        rows.recentAttention = sums(recent)
        rows.isBehindPrompt = isBehindPrompt
        if policy.scorer.needsTokens {
            let origins = origins[i].count == positions.count ? origins[i] : positions
            rows.tokens = origins.map { tokens[Int($0)] }
        }
        if queries.count > 0, let last = positions.last { rows.queries = queries(i, upTo: Int(last)) }
        if case .last(let window) = policy.attention {
            rows.observations =
                min(window, positions.count) * configuration.heads / configuration.kvHeads
        }
        return rows
    }
}
