import MnemeModels

/// Scores the rows of all heads of all layers together: for rules by which heads keep the same rows,
/// or a layer keeps a part of what an earlier one does.
public protocol JointScorer: TokenScorer {
    /// Scores of each head's rows, as ``TokenScorer/scores(_:)`` gives them.
    ///
    /// - Parameter layers: the heads of each; none of layers with sliding windows. All have the same
    ///   rows before any are evicted.
    /// - Returns: in the same order.
    /// - Complexity: should be O(rows·dimension) for each head at most.
    func scores(_ layers: [[KVRows]]) -> [[[Float]]]
}

extension JointScorer {
    /// Of a head by itself.
    public func scores(_ rows: KVRows) -> [Float] { scores([[rows]])[0][0] }

    /// The attention that rows receive from several heads.
    static func sum(_ heads: [KVRows]) -> [Float] {
        guard var sum = heads.first?.attention else { return [] }
        for head in heads.dropFirst() {
            for (i, x) in head.attention.enumerated() { sum[i] += x }
        }
        return sum
    }
}

extension CompressedSequence {
    /// Scores of all heads' rows, if the policy scores them together.
    ///
    /// - Parameter rows: of a head.
    func jointScores(_ rows: (Int) -> KVRows) -> [[Float]]? {
        guard policy.trigger != .never, let scorer = policy.scorer as? any JointScorer else {
            return nil
        }
        let c = configuration
        let layers = (0..<c.layers).map { layer in
            c.window(layer: layer) != nil
                ? [] : (0..<c.kvHeads).map { rows(layer * c.kvHeads + $0) }
        }
        return scorer.scores(layers).flatMap { heads in
            heads.isEmpty ? Array(repeating: [], count: c.kvHeads) : heads
        }
    }
}
