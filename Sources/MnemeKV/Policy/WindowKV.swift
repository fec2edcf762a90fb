/// Keeps runs of neighbouring rows, chosen by the attention of the last tokens of the prompt, and the
/// same ones in neighbouring layers (WindowKV, Zuo et al. 2025): whole phrases stay readable.
///
/// The first layer of a group chooses for all of it. The kind of task sets the shape of the budget: where the prompt's
/// end looks for something in one place, early layers get more (``PyramidBudget``); where it gathers from everywhere, all
/// layers get the same. The paper trains a classifier of prompts for that; here the attention of the last tokens says it,
/// by how much of it the most attended runs have.
public struct WindowKV: JointScorer, HeadAllocator {
    /// Rows of a run, layers of a group, and the last tokens whose attention counts.
    public var run: Int, group: Int, window: Int
    /// The share of attention in few places above which a task looks for something in one.
    public var local: Float = 0.5

    /// By default runs of 8 rows, and groups of 4 layers.
    public init(run: Int = 8, group: Int = 4, window: Int = 32) {
        (self.run, self.group, self.window) = (run, group, window)
    }

    /// The weights of the window's tokens.
    public var needs: AttentionNeed { .last(window) }

    /// The mean attention of a row's run; infinity for the window.
    public func scores(_ layers: [[KVRows]]) -> [[[Float]]] {
        var chosen: [Float] = []
        var member = 0
        return layers.map { heads in
            guard !heads.isEmpty else { return [] }
            if member % group == 0 { chosen = scores(of: Self.sum(heads)) }
            member += 1
            return heads.map { _ in chosen }
        }
    }

    private func scores(of weights: [Float]) -> [Float] {
        let open = max(0, weights.count - window)
        return weights.indices.map { row in
            guard row < open else { return .infinity }
            let part = weights[row / run * run..<min(open, row / run * run + run)]
            return part.reduce(0, +) / Float(part.count)
        }
    }

    /// The share of the window's attention, beside the first rows and the window itself, that the best twentieth of the
    /// runs has.
    public func measure(_ rows: KVRows) -> [Float] {
        let open = max(0, rows.attention.count - window)
        let runs = stride(from: run, to: open, by: run).map { start in
            rows.attention[start..<min(open, start + run)].reduce(0, +)
        }.sorted(by: >)
        let total = runs.reduce(0, +)
        return [total > 0 ? runs.prefix(max(1, runs.count / 20)).reduce(0, +) / total : 0]
    }

    /// A pyramid where attention is in few places, the same for all layers otherwise.
    public func split(_ budget: Int, heads: [[HeadMeasure]]) -> [[Int]] {
        let shares = heads.joined().map { $0.values[0] }
        let mean = shares.reduce(0, +) / Float(max(1, shares.count))
        let lengths = heads.map { $0.map(\.length) }
        return mean > local
            ? PyramidBudget(least: window).split(budget, lengths: lengths)
            : UniformBudget().split(budget, lengths: lengths)
    }
}
