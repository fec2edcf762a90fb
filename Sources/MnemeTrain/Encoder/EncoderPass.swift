import CMnemeKernels
import MnemeEmbedding
import MnemeModels
import MnemeNumerics

/// Both passes through a frozen encoder with its low-rank terms, for some texts.
///
/// x = norm(x + attention(x)); x = norm(x + feedForward(x))
struct EncoderPass {
    typealias Rows = EncoderWorkspace.Rows

    /// The model that texts pass through.
    struct Model {
        let encoder: FrozenEncoder
        let parameters: LowRankParameters
        /// Of the terms.
        let scale: Float
        let kernels: TrainingKernels
        let workspace: EncoderWorkspace
    }

    /// Where rows go: in place of what is there, or added to it.
    private enum Target {
        case replacing(Rows)
        case adding(Rows)

        var rows: UnsafeMutablePointer<Float> {
            switch self {
            case .replacing(let rows), .adding(let rows): rows.pointer
            }
        }

        var accumulates: Bool { if case .adding = self { true } else { false } }
    }

    private let model: Model
    /// The texts' tokens, and the rows that each has.
    let texts: [[Int32]]
    let ranges: [Range<Int>]

    private var encoder: FrozenEncoder { model.encoder }
    private var parameters: LowRankParameters { model.parameters }
    private var scale: Float { model.scale }
    private var kernels: TrainingKernels { model.kernels }
    private var workspace: EncoderWorkspace { model.workspace }
    private var c: BertConfiguration { encoder.configuration }
    private var rows: Int { ranges.last?.upperBound ?? 0 }

    init(_ model: Model, texts: [[Int32]]) {
        (self.model, self.texts) = (model, texts)
        var end = 0
        ranges = texts.map { text in
            defer { end += text.count }
            return end..<end + text.count
        }
    }

    /// The states of the texts' tokens: rows of the hidden size.
    func forward() -> UnsafeMutablePointer<Float> {
        embed()
        for index in encoder.layers.indices { forward(index) }
        return workspace.inputs[encoder.layers.count].pointer
    }

    /// Adds the gradients of the terms by those of the states, which stand in the workspace's stream.
    func backward() {
        for index in encoder.layers.indices.reversed() { backward(index, needsInput: index > 0) }
    }

    // MARK: Layers

    /// Sums of word, position and segment embeddings, normed: the first layer's input.
    private func embed() {
        let n = c.hiddenSize
        let out = workspace.inputs[0].pointer
        let words = encoder.tables.words.values.baseAddress!
        let positions = encoder.tables.positions.values.baseAddress! + c.firstPosition * n
        let segment = encoder.tables.segment?.values.baseAddress
        kernels.share(texts.count) { mine in
            for text in mine {
                for (position, id) in texts[text].enumerated() {
                    let row = out + (ranges[text].lowerBound + position) * n
                    let (word, place) = (words + Int(id) * n, positions + position * n)
                    for i in 0..<n { row[i] = word[i] + place[i] + (segment?[i] ?? 0) }
                }
            }
        }
        norm(workspace.inputs[0], encoder.embeddingNorm, into: workspace.inputs[0])
    }

    private func forward(_ index: Int) {
        let (layer, v) = (encoder.layers[index], workspace.layers[index])
        let (x, n) = (workspace.inputs[index], c.hiddenSize)
        apply(layer.query, x, .replacing(v.query))
        apply(layer.key, x, .replacing(v.key))
        apply(layer.value, x, .replacing(v.value))
        eachHead(v) { attention, _, scratch in
            var attention = attention
            mnk_training_attend(kernels.features, &attention, scratch)
        }
        v.attentionSum.pointer.update(from: x.pointer, count: rows * n)
        apply(layer.attentionOutput, v.attended, .adding(v.attentionSum))
        norm(v.attentionSum, layer.attentionNorm, into: v.middle)
        apply(layer.up, v.middle, .replacing(v.up))
        kernels.share(rows) { mine in
            let at = mine.lowerBound * c.intermediateSize
            mnk_gelu(
                kernels.features, v.up.pointer + at, mine.count * c.intermediateSize,
                v.activated.pointer + at)
        }
        v.outputSum.pointer.update(from: v.middle.pointer, count: rows * n)
        apply(layer.down, v.activated, .adding(v.outputSum))
        norm(v.outputSum, layer.outputNorm, into: workspace.inputs[index + 1])
    }

    /// From the gradient of the layer's output, in the workspace's stream, to that of its input in
    /// the same place.
    ///
    /// - Parameter needsInput: false for the first layer: nothing is learned before it.
    private func backward(_ index: Int, needsInput: Bool) {
        let (layer, v, w) = (encoder.layers[index], workspace.layers[index], workspace)
        let x = w.inputs[index]
        normBackward(v.outputSum, layer.outputNorm)
        pull(layer.down, x: v.activated, dy: w.stream, into: .replacing(w.wide))
        kernels.share(rows) { mine in
            let (at, count) = (mine.lowerBound * c.intermediateSize, mine.count * c.intermediateSize)
            let gradient = w.wide.pointer + at
            mnk_gelu_backward(kernels.features, v.up.pointer + at, gradient, count, gradient)
        }
        // The stream's gradient goes around the network as well as through it.
        pull(layer.up, x: v.middle, dy: w.wide, into: .adding(w.stream))
        normBackward(v.attentionSum, layer.attentionNorm)
        pull(layer.attentionOutput, x: v.attended, dy: w.stream, into: .replacing(w.attended))
        eachHead(v) { attention, at, scratch in
            var attention = attention
            mnk_training_attend_backward(
                kernels.features, &attention, w.attended.pointer + at, w.query.pointer + at,
                w.key.pointer + at, w.value.pointer + at, c.hiddenSize, scratch)
        }
        let dx: Target? = needsInput ? .adding(w.stream) : nil
        pull(layer.query, x: x, dy: w.query, into: dx)
        pull(layer.key, x: x, dy: w.key, into: dx)
        pull(layer.value, x: x, dy: w.value, into: dx)
    }

    // MARK: Linear maps

    /// y (+)= W·x + bias + scale·B·A·x.
    private func apply(_ map: FrozenEncoder.Map, _ x: Rows, _ target: Target) {
        let (width, y) = (map.weights.outputs, target.rows)
        kernels.frozen(
            map.weights, input: x.pointer, rows: rows, accumulate: target.accumulates, into: y)
        let bias = map.bias.values
        kernels.share(rows) { mine in
            for row in mine { for i in 0..<width { y[row * width + i] += bias[i] } }
        }
        guard let slot = parameters.slot(map.layer, map.name) else { return }
        let (values, projected) = (parameters.values.pointer, projected(map))
        kernels.project(
            x.pointer, rows: rows, width: slot.inputs, by: values + slot.a, rank: slot.rank, scale: 1,
            into: projected)
        kernels.expand(
            projected, rows: rows, rank: slot.rank, by: values + slot.b, width: slot.outputs,
            scale: scale, into: y)
    }

    /// The gradients of a map: of its term, and of its input where that is wanted.
    private func pull(_ map: FrozenEncoder.Map, x: Rows, dy: Rows, into target: Target?) {
        let slot = parameters.slot(map.layer, map.name)
        let (values, back) = (parameters.values.pointer, workspace.projected.pointer)
        if let slot {
            let gradients = parameters.gradients.pointer
            kernels.project(
                dy.pointer, rows: rows, width: slot.outputs, by: values + slot.b, rank: slot.rank,
                scale: scale, into: back)
            kernels.factorGradient(
                projected(map), dy.pointer, rows: rows, rank: slot.rank, width: slot.outputs,
                scale: scale, into: gradients + slot.b)
            kernels.factorGradient(
                back, x.pointer, rows: rows, rank: slot.rank, width: slot.inputs, scale: 1,
                into: gradients + slot.a)
        }
        guard let target else { return }
        kernels.frozen(
            map.weights, transposed: true, input: dy.pointer, rows: rows,
            accumulate: target.accumulates, into: target.rows)
        guard let slot else { return }
        kernels.expand(
            back, rows: rows, rank: slot.rank, by: values + slot.a, width: slot.inputs, scale: 1,
            into: target.rows)
    }

    /// A map's input times Aᵀ.
    private func projected(_ map: FrozenEncoder.Map) -> UnsafeMutablePointer<Float> {
        workspace.layers[map.layer].projected[map.name]!.pointer
    }

    // MARK: Norms, attention

    private func norm(_ x: Rows, _ norm: FrozenEncoder.Norm, into y: Rows) {
        let n = c.hiddenSize
        kernels.share(rows) { mine in
            let at = mine.lowerBound * n
            mnk_layer_norm(
                kernels.features, x.pointer + at, norm.gamma.values.baseAddress!,
                norm.beta.values.baseAddress!, c.layerNormEpsilon, mine.count, n, y.pointer + at)
        }
    }

    /// The stream's gradient, from behind a norm to before it.
    private func normBackward(_ x: Rows, _ norm: FrozenEncoder.Norm) {
        let n = c.hiddenSize
        kernels.share(rows) { mine in
            let at = mine.lowerBound * n
            let gradient = workspace.stream.pointer + at
            mnk_layer_norm_backward(
                kernels.features, x.pointer + at, norm.gamma.values.baseAddress!, c.layerNormEpsilon,
                mine.count, n, gradient, gradient)
        }
    }

    /// Calls `body` for each head of each text, with where its rows begin.
    private func eachHead(
        _ v: EncoderWorkspace.Values,
        _ body: (mnk_training_attention, _ at: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void
    ) {
        let (hidden, dimension) = (c.hiddenSize, c.headDimension)
        kernels.pool.run { thread, threads in
            for unit in shareOf(texts.count * c.heads, thread, threads) {
                let (text, head) = (ranges[unit / c.heads], unit % c.heads)
                let at = text.lowerBound * hidden + head * dimension
                var attention = mnk_training_attention()
                (attention.q, attention.ldq) = (UnsafePointer(v.query.pointer + at), hidden)
                attention.k = UnsafePointer(v.key.pointer + at)
                attention.v = UnsafePointer(v.value.pointer + at)
                attention.ldk = hidden
                (attention.tokens, attention.dim) = (text.count, dimension)
                attention.scale = 1 / Float(dimension).squareRoot()
                (attention.out, attention.ldo) = (v.attended.pointer + at, hidden)
                attention.lse = v.lse.pointer + head * workspace.rows + text.lowerBound
                attention.bidirectional = 1
                body(attention, at, workspace.scratch[thread].pointer)
            }
        }
    }
}
