/// The gradient through all layers to embeddings of tokens that are learned, and nothing else (TokMem, Wu et al.
/// 2025) [61]. What their logits have of it is added with the loss.
struct LearnedTokens: GradientRoute {
    let slots: Int
    private let rows: ProcedureRows?

    /// - Parameter rows: of the tokens.
    init(layers: Int, _ rows: ProcedureRows?) { (slots, self.rows) = (layers, rows) }

    func addGradient(_ context: RouteContext) -> LossSums {
        let pass = context.pass(Array(0..<context.layers), context.layers)
        pass.forward()
        let sums = context.head(context.layers)
        pass.backward(needsInput: true)
        rows?.addGradient(pass.batch.tokens, stream: context.stream)
        return sums
    }
}
