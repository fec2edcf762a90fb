/// Lets heads whose output is far from the other heads' keep all rows, and the others the first and
/// the last ones and those in between that the window attends to most (Task-KV, He et al. 2025).
///
/// A head's output for the prompt's last tokens is the mean of its values weighted by their
/// attention; its layer's semantic centre is the mean of the heads' outputs. As many of the furthest
/// heads keep all as the budget allows. The paper compares query heads; rows belong to the key-value
/// head that a group of them shares, so that groups are compared here.
public struct TaskKV: TokenScorer, HeadAllocator {
    /// Last tokens whose attention counts, first rows that stay, and rows that the near heads keep.
    public var window: Int, sinks: Int, least: Int

    /// The paper's window.
    public init(window: Int = 32, sinks: Int = 4, least: Int = 64) {
        (self.window, self.sinks, self.least) = (window, sinks, least)
    }

    /// The weights of the window's tokens.
    public var needs: AttentionNeed { .last(window) }

    /// The window's attention; infinity for the first rows and the window.
    public func scores(_ rows: KVRows) -> [Float] {
        rows.attention.enumerated().map {
            $0 < sinks || $0 + window >= rows.count ? .infinity : $1
        }
    }

    /// The head's output for the window, of length 1.
    public func measure(_ rows: KVRows) -> [Float] {
        var output = [Float](repeating: 0, count: rows.dimension)
        let total = max(rows.attention.reduce(0, +), 1e-9)
        // What hardly anything attends to changes nothing that could be seen.
        for (row, weight) in rows.attention.enumerated() where weight > 1e-6 * total {
            for (e, x) in rows.value(row).enumerated() { output[e] += weight / total * x }
        }
        let length = max(output.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-9)
        return output.map { $0 / length }
    }

    /// The distance of each head's output from its layer's centre.
    public static func distances(_ heads: [[HeadMeasure]]) -> [[Float]] {
        heads.map { heads in
            guard let first = heads.first else { return [] }
            let centre = first.values.indices.map { e in
                heads.reduce(Float(0)) { $0 + $1.values[e] } / Float(heads.count)
            }
            return heads.map { head in
                zip(head.values, centre).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                    .squareRoot()
            }
        }
    }

    /// All rows for the furthest heads, the rest of the budget in equal parts for the others.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        RetrievalHeads(strengths: Self.distances(heads), least: max(least, sinks + window))
            .split(budget, lengths: heads.map { $0.map(\.length) })
    }
}
