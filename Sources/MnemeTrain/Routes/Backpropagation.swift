/// The gradient of the model's loss through all layers.
struct Backpropagation: GradientRoute {
    let slots: Int

    init(layers: Int) { slots = layers }

    func addGradient(_ context: RouteContext) -> LossSums {
        let pass = context.pass(Array(0..<context.layers), context.layers)
        pass.forward()
        let sums = context.head(context.layers)
        pass.backward()
        return sums
    }
}
