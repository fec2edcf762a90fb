import MnemeNumerics

/// The gradient of a network beside the model, and none through the model (Quantized Side Tuning, Zhang et al. 2024)
/// [197]: its layers are computed one by one, nothing of them is kept, and what the network has of a row is a part of
/// what checkpoints have. The base may be of any type that is read, also of few bits.
struct SideTuning: GradientRoute {
    let slots = 1
    private let side: SideRows?

    /// - Parameter side: the network.
    init(_ side: SideRows?) { self.side = side }

    func addGradient(_ context: RouteContext) -> LossSums {
        let inputs = context.saved.inputs
        for layer in 0..<context.layers {
            if layer > 0 { inputs[0].pointer.update(from: inputs[1].pointer, count: context.streamFloats) }
            context.pass([layer], 0).forward(0)
            side?.take(layer, inputs[1].pointer)
        }
        let lengths = side?.lengths(inputs[1].pointer) ?? []
        side?.add(to: inputs[1].pointer)
        let sums = context.head(1)
        side?.addGradient(context.stream, lengths: lengths)
        return sums
    }
}
