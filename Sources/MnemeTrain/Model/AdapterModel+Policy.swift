/// A model that acts: what it writes, and how likely that is.
extension AdapterModel {
    /// Draws the next token of each text, by the probabilities of the model with its adapter.
    ///
    /// The texts are computed from their beginnings: there are no keys and values beside the trainer's memory.
    ///
    /// - Parameter texts: as many tokens in all as a batch has, at most.
    package func draw(behind texts: [[Int32]], seed: UInt64) -> [(token: Int32, logProbability: Float)] {
        var batch = TrainingBatch()
        for text in texts { batch.keep(text, promptTokens: text.count) }
        let end = forward(batch)
        return entropy.draw(gather(batch, slot: end), rows: texts.count, seed: seed)
    }

    /// Adds the gradient of a policy's objective: each learned token's -log p, times a weight that its log p gives.
    ///
    /// - Parameter reweigh: of the learned tokens in order; 0 leaves one out.
    /// - Returns: the sum of -log p.
    @discardableResult
    package func addPolicyGradient(
        _ batch: TrainingBatch, reweigh: @escaping (_ token: Int, _ logProbability: Float) -> Float
    ) -> Double {
        var rows = CrossEntropy.Rows(targets: gatherTargets(batch), weight: 1)
        rows.reweigh = reweigh
        return addGradient(batch, rows, []).loss
    }
}
