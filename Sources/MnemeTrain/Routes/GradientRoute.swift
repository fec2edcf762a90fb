/// The sum of -log p over the batch's targets, and that of KL(base || model) over its kept rows.
package typealias LossSums = (loss: Double, divergence: Double)

/// The way from a loss to the gradients of what is learned.
///
/// Conforming types are a file each, named in ``LearningRoute``.
protocol GradientRoute {
    /// Layers whose inputs and values have memory at the same time.
    var slots: Int { get }
    /// Adds the gradients, and gives the sums at the model's end.
    func addGradient(_ context: RouteContext) -> LossSums
}

/// What a route computes with. Layers are given to passes in order; each takes the next slot of the
/// saved tensors. The batch's embeddings are the first slot's input.
struct RouteContext {
    /// Of the model.
    let layers: Int
    /// Owns the slots.
    let saved: any SavedTensorPolicy
    /// Tokens of the batch by the hidden size.
    let streamFloats: Int
    /// Floats of a token's stream.
    let hidden: Int
    /// What is learned.
    let parameters: LowRankParameters
    /// The gradient of a layer's output, between its backward pass and the one before.
    let stream: UnsafeMutablePointer<Float>
    /// A pass through these layers, of which the first ones learn.
    let pass: (_ layers: [Int], _ learning: Int) -> LayerPass
    /// The loss of a last layer's output, which a slot's input holds; its gradient becomes that of
    /// the last slot's output.
    let head: (_ slot: Int) -> LossSums
    /// In place of the loss the distance of a slot's input from the signs that stand for each token to predict,
    /// which a block has for itself; its gradient becomes that of the last slot's output.
    let aim: (_ slot: Int, _ block: Int) -> Void
}

extension LayerPass {
    /// Through all layers of the pass.
    func forward() {
        for slot in layers.indices {
            forward(slot)
            if trains, slot < layers.count - 1 { saved.save(slot, self) }
        }
    }

    /// Back through all of them.
    ///
    /// - Parameter needsInput: the first layer's input, too, has a gradient.
    func backward(needsInput: Bool = false) {
        for slot in layers.indices.reversed() {
            if slot < layers.count - 1 { saved.restore(slot, self) }
            backward(slot, needsInput: needsInput || slot > 0)
        }
    }
}
