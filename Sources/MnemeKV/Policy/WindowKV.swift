/// Keeps runs of neighbouring rows, chosen by the attention of the last tokens of the prompt, and the
/// same ones in neighbouring layers (WindowKV, Zuo et al. 2025): whole phrases stay readable.
///
/// The first layer of a group chooses for all of it. The paper's choice of a budget's shape by the
/// kind of task is not here: all layers have the same.
public struct WindowKV: JointScorer {
    /// Rows of a run, layers of a group, and the last tokens whose attention counts.
    public var run: Int, group: Int, window: Int

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
}
