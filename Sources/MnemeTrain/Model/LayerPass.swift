import CMnemeKernels
import MnemeModels
import MnemeNumerics

/// Both passes through one layer of the frozen model with its low-rank terms.
///
/// x = x + attention(norm(x)); x = x + feedForward(norm(x))
struct LayerPass {
    let model: FrozenDecoder
    let parameters: LowRankParameters
    let shape: AdapterShape
    let kernels: TrainingKernels
    let workspace: LayerWorkspace
    let angles: RotaryAngles
    let batch: TrainingBatch

    private var c: DecoderConfiguration { model.configuration }
    private var rows: Int { batch.tokens.count }

    /// From the layer's input to its output; with `output` nil, all that its gradient needs.
    func forward(
        _ index: Int, input: UnsafeMutablePointer<Float>, output: UnsafeMutablePointer<Float>?
    ) {
        let w = workspace
        let layer = model.layers[index]
        let hidden = c.hiddenSize
        norm(input, layer.attentionNorm, into: w.normed1)
        apply(layer[.query], index, w.normed1, into: w.query.pointer)
        apply(layer[.key], index, w.normed1, into: w.key.pointer)
        apply(layer[.value], index, w.normed1, into: w.value.pointer)
        rotate(w.query, heads: c.heads, backward: false)
        rotate(w.key, heads: c.kvHeads, backward: false)
        attend()
        w.middle.pointer.update(from: input, count: rows * hidden)
        apply(
            layer[.attentionOutput], index, w.attended, accumulate: true, into: w.middle.pointer)
        norm(w.middle.pointer, layer.feedForwardNorm, into: w.normed2)
        apply(layer[.gate], index, w.normed2, into: w.gate.pointer)
        apply(layer[.up], index, w.normed2, into: w.up.pointer)
        let wide = c.intermediateSize / 16
        kernels.share(rows * wide) { mine in
            let at = mine.lowerBound * 16
            mnk_swiglu(
                kernels.features, w.gate.pointer + at, w.up.pointer + at, mine.count * 16,
                w.gated.pointer + at)
        }
        guard let output else {
            // The gradient of the last map's B needs its projection, though not its output.
            project(layer[.down], index, w.gated)
            return
        }
        output.update(from: w.middle.pointer, count: rows * hidden)
        apply(layer[.down], index, w.gated, accumulate: true, into: output)
    }

    /// From the gradient of the layer's output, in the workspace's stream, to that of its input in
    /// the same place; gradients of the terms are added. The workspace holds the layer's values.
    ///
    /// - Parameter needsInput: false for the first layer: nothing is learned before it.
    func backward(_ index: Int, input: UnsafeMutablePointer<Float>, needsInput: Bool) {
        let w = workspace
        let layer = model.layers[index]
        // Feed-forward.
        pull(layer[.down], index, x: w.gated, dy: w.stream, dx: w.wide1, accumulate: false)
        let wide = c.intermediateSize / 16
        kernels.share(rows * wide) { mine in
            let at = mine.lowerBound * 16
            mnk_swiglu_backward(
                kernels.features, w.gate.pointer + at, w.up.pointer + at, w.wide1.pointer + at,
                mine.count * 16, w.wide1.pointer + at, w.wide2.pointer + at)
        }
        pull(layer[.gate], index, x: w.normed2, dy: w.wide1, dx: w.normedGradient, accumulate: false)
        pull(layer[.up], index, x: w.normed2, dy: w.wide2, dx: w.normedGradient, accumulate: true)
        normBackward(w.middle.pointer, layer.feedForwardNorm)
        // Attention.
        pull(
            layer[.attentionOutput], index, x: w.attended, dy: w.stream, dx: w.attendedGradient,
            accumulate: false)
        attendBackward()
        rotate(w.queryGradient, heads: c.heads, backward: true)
        rotate(w.keyGradient, heads: c.kvHeads, backward: true)
        let dx = needsInput ? w.normedGradient : nil
        pull(layer[.query], index, x: w.normed1, dy: w.queryGradient, dx: dx, accumulate: false)
        pull(layer[.key], index, x: w.normed1, dy: w.keyGradient, dx: dx, accumulate: true)
        pull(layer[.value], index, x: w.normed1, dy: w.valueGradient, dx: dx, accumulate: true)
        if needsInput { normBackward(input, layer.attentionNorm) }
    }

    // MARK: Linear maps

    /// y (+)= W·x + bias + scale·B·A·x.
    private func apply(
        _ linear: FrozenLinear, _ layer: Int, _ x: LayerWorkspace.Rows, accumulate: Bool = false,
        into y: UnsafeMutablePointer<Float>
    ) {
        kernels.frozen(
            linear.weights, input: x.pointer, rows: rows, accumulate: accumulate, into: y)
        let width = linear.weights.outputs
        if let bias = linear.bias {
            kernels.share(rows) { mine in
                for row in mine { for i in 0..<width { y[row * width + i] += bias[i] } }
            }
        }
        guard let slot = project(linear, layer, x) else { return }
        kernels.expand(
            projected(linear.name).pointer, rows: rows, rank: slot.rank,
            by: parameters.values.pointer + slot.b, width: slot.outputs, scale: shape.scale, into: y)
    }

    /// A·x of a map that has a term.
    @discardableResult
    private func project(_ linear: FrozenLinear, _ layer: Int, _ x: LayerWorkspace.Rows)
        -> LowRankSlot?
    {
        guard let slot = parameters.slot(layer, linear.name) else { return nil }
        kernels.project(
            x.pointer, rows: rows, width: slot.inputs, by: parameters.values.pointer + slot.a,
            rank: slot.rank, scale: 1, into: projected(linear.name).pointer)
        return slot
    }

    /// The gradients of a map: of its term, and of its input where that is wanted.
    private func pull(
        _ linear: FrozenLinear, _ layer: Int, x: LayerWorkspace.Rows, dy: LayerWorkspace.Rows,
        dx: LayerWorkspace.Rows?, accumulate: Bool
    ) {
        if let dx {
            kernels.frozen(
                linear.weights, transposed: true, input: dy.pointer, rows: rows,
                accumulate: accumulate, into: dx.pointer)
        }
        guard let slot = parameters.slot(layer, linear.name) else { return }
        let values = parameters.values.pointer
        let gradients = parameters.gradients.pointer
        let back = workspace.projectedGradient.pointer
        kernels.factorGradient(
            projected(linear.name).pointer, dy.pointer, rows: rows, rank: slot.rank,
            width: slot.outputs, scale: shape.scale, into: gradients + slot.b)
        kernels.project(
            dy.pointer, rows: rows, width: slot.outputs, by: values + slot.b, rank: slot.rank,
            scale: shape.scale, into: back)
        kernels.factorGradient(
            back, x.pointer, rows: rows, rank: slot.rank, width: slot.inputs, scale: 1,
            into: gradients + slot.a)
        if let dx {
            kernels.expand(
                back, rows: rows, rank: slot.rank, by: values + slot.a, width: slot.inputs,
                scale: 1, into: dx.pointer)
        }
    }

    private func projected(_ name: LayerLinear) -> LayerWorkspace.Rows {
        workspace.projected[LayerLinear.allCases.firstIndex(of: name)!]
    }

    // MARK: Norms, rotation, attention

    private func norm(
        _ x: UnsafeMutablePointer<Float>, _ weight: [Float], into y: LayerWorkspace.Rows
    ) {
        let n = c.hiddenSize
        kernels.share(rows) { mine in
            let at = mine.lowerBound * n
            mnk_rms_norm(
                kernels.features, x + at, weight, c.normEpsilon, mine.count, n, 0, y.pointer + at)
        }
    }

    /// stream += the gradient of a norm's input by that of its output.
    private func normBackward(_ x: UnsafeMutablePointer<Float>, _ weight: [Float]) {
        let n = c.hiddenSize
        let w = workspace
        kernels.share(rows) { mine in
            let at = mine.lowerBound * n
            mnk_rms_norm_backward(
                kernels.features, x + at, weight, c.normEpsilon, mine.count, n,
                w.normedGradient.pointer + at, w.stream.pointer + at)
        }
    }

    /// Rotates rows to their positions (RoPE); the gradient goes the other way.
    private func rotate(_ x: LayerWorkspace.Rows, heads: Int, backward: Bool) {
        let dimension = c.headDimension
        let half = angles.half
        let sine = backward ? angles.minusSine : angles.sine
        for sequence in batch.sequences {
            kernels.share(sequence.count) { mine in
                for position in mine {
                    mnk_rope(
                        x.pointer + (sequence.lowerBound + position) * heads * dimension, heads,
                        dimension, half, angles.cosine.pointer + position * half,
                        sine.pointer + position * half, c.rope.interleaved ? 1 : 0)
                }
            }
        }
    }

    private func attend() {
        eachHead { attention, _, scratch in
            var attention = attention
            mnk_training_attend(kernels.features, &attention, scratch)
        }
    }

    /// Gradients of queries, keys and values by that of what was attended.
    private func attendBackward() {
        let w = workspace
        let dimension = c.headDimension
        let queries = c.heads * dimension
        eachHead { attention, at, scratch in
            var attention = attention
            mnk_training_attend_backward(
                kernels.features, &attention, w.attendedGradient.pointer + at,
                w.queryGradient.pointer + at, w.keyHeads.pointer + at, w.valueHeads.pointer + at,
                queries, scratch)
        }
        // Query heads that share a key-value head add to its gradient, in their order.
        let group = c.heads / c.kvHeads
        kernels.share(rows) { mine in
            for row in mine {
                for head in 0..<c.kvHeads {
                    let to = row * c.kvSize + head * dimension
                    let from = row * queries + head * group * dimension
                    for i in 0..<dimension {
                        var (key, value) = (Float(0), Float(0))
                        for member in 0..<group {
                            key += w.keyHeads.pointer[from + member * dimension + i]
                            value += w.valueHeads.pointer[from + member * dimension + i]
                        }
                        w.keyGradient.pointer[to + i] = key
                        w.valueGradient.pointer[to + i] = value
                    }
                }
            }
        }
    }

    /// Calls `body` for each query head of each sequence, with where its rows begin.
    private func eachHead(
        _ body: (mnk_training_attention, _ at: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void
    ) {
        let w = workspace
        let dimension = c.headDimension
        let queries = c.heads * dimension
        let scale = c.attentionScale ?? 1 / Float(dimension).squareRoot()
        let stride = padded(rows, 32)
        kernels.pool.run { thread, threads in
            for unit in shareOf(batch.sequences.count * c.heads, thread, threads) {
                let sequence = batch.sequences[unit / c.heads]
                let head = unit % c.heads
                let at = sequence.lowerBound * queries + head * dimension
                let kv =
                    sequence.lowerBound * c.kvSize + head / (c.heads / c.kvHeads) * dimension
                var attention = mnk_training_attention()
                attention.q = UnsafePointer(w.query.pointer + at)
                attention.ldq = queries
                attention.k = UnsafePointer(w.key.pointer + kv)
                attention.v = UnsafePointer(w.value.pointer + kv)
                attention.ldk = c.kvSize
                (attention.tokens, attention.dim) = (sequence.count, dimension)
                attention.scale = scale
                attention.out = w.attended.pointer + at
                attention.ldo = queries
                attention.lse = w.lse.pointer + head * stride + sequence.lowerBound
                body(attention, at, w.scratch[thread].pointer)
            }
        }
    }
}
