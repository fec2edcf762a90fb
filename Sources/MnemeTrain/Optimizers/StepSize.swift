/// What an optimizer's step needs besides gradients.
package struct StepSize: Sendable {
    /// Multiplies the gradients, which are clipped so.
    package var scale: Float
    /// The learning rate.
    package var rate: Float
    /// The decoupled weight decay.
    package var decay: Float

    package init(scale: Float, rate: Float, decay: Float) {
        (self.scale, self.rate, self.decay) = (scale, rate, decay)
    }
}
