import CMnemeKernels
import MnemeModels
import MnemeNumerics

/// Both passes through one layer of the frozen model with its low-rank terms.
///
/// x = x + attention(norm(x)); x = x + feedForward(norm(x))
struct LayerPass {
    let configuration: DecoderConfiguration
    /// Has the layers' weights.
    let placement: any WeightPlacement
    let parameters: LowRankParameters
    let shape: AdapterShape
    let kernels: TrainingKernels
    let workspace: LayerWorkspace
    let angles: RotaryAngles
    let batch: TrainingBatch
    /// The model's layers that are passed through, in order. Methods count them: theirs is the place
    /// in this list, which is also the slot of the saved tensors.
    let layers: [Int]
    /// So many of them learn, the first ones; the others' terms are left alone.
    let learning: Int
    /// Owns the layers' inputs and values.
    let saved: any SavedTensorPolicy
    /// Counts the steps of a training: draws follow from it.
    let step: Int
    /// False where only the loss is wanted.
    let trains: Bool
    /// Called with a layer of the model whose gradient is whole.
    let didLearn: (Int) -> Void
    /// Where the batch has parts of sequences: brings what the others have.
    var ring: RingAttention?

    private var c: DecoderConfiguration { configuration }
    /// Tokens of the batch.
    var rows: Int { batch.tokens.count }

    /// From a layer's input to its output, which is the next one's input.
    func forward(_ index: Int) {
        let (w, all) = (saved.values[index], 0..<rows)
        measure(weights(index, next: 1), index)
        compute(index, rows: all, attends: true, isBack: false)
        let output = saved.inputs[index + 1].pointer
        output.update(from: w[.middle].pointer, count: rows * c.hiddenSize)
        apply(weights(index, next: 1)[.down], index, .gated, all, accumulate: true, into: output)
    }

    /// From the layer's input to its values once more, for some rows, of which the first is a
    /// multiple of 32.
    ///
    /// - Parameter attends: false if what was attended and its log-sum-exps are there for all rows.
    func recompute(_ index: Int, rows some: Range<Int>, attends: Bool) {
        guard !some.isEmpty else { return }
        compute(index, rows: some, attends: attends, isBack: true)
        // The gradient of the last map's B needs its projection, though not its output.
        project(weights(index, next: -1)[.down], index, .gated, some)
        workspace.recomputedRows += some.count
    }

    /// The frozen weights of a layer of the pass.
    ///
    /// - Parameter next: 1 if the layer behind it comes next, -1 if the one before.
    private func weights(_ index: Int, next: Int) -> FrozenLayer {
        let other = index + next
        return placement.layer(
            layers[index], next: layers.indices.contains(other) ? layers[other] : nil)
    }

    /// All values of a layer but its output.
    ///
    /// - Parameter isBack: this is for the backward pass.
    private func compute(_ index: Int, rows: Range<Int>, attends: Bool, isBack: Bool) {
        let w = saved.values[index]
        let layer = weights(index, next: isBack ? -1 : 1)
        let input = saved.inputs[index].pointer
        let hidden = c.hiddenSize
        norm(input, layer.attentionNorm, rows, into: w[.normed1])
        apply(layer[.query], index, .normed1, rows, into: w[.query].pointer)
        apply(layer[.key], index, .normed1, rows, into: w[.key].pointer)
        apply(layer[.value], index, .normed1, rows, into: w[.value].pointer)
        rotate(w[.query], heads: c.heads, rows, backward: false)
        rotate(w[.key], heads: c.kvHeads, rows, backward: false)
        if attends { attend(w) }
        let at = rows.lowerBound * hidden
        (w[.middle].pointer + at).update(from: input + at, count: rows.count * hidden)
        apply(
            layer[.attentionOutput], index, .attended, rows, accumulate: true,
            into: w[.middle].pointer)
        norm(w[.middle].pointer, layer.feedForwardNorm, rows, into: w[.normed2])
        apply(layer[.gate], index, .normed2, rows, into: w[.gate].pointer)
        apply(layer[.up], index, .normed2, rows, into: w[.up].pointer)
        w.gateDerivatives.isSet = false
        if trains { saved.changeGate(index, rows: rows, self) }
        multiplyGate(index, rows: rows)
    }

    /// gated = SiLU(gate)·up.
    func multiplyGate(_ index: Int, rows: Range<Int>) {
        let w = saved.values[index]
        let wide = c.intermediateSize / 16
        kernels.share(rows.count * wide) { mine in
            let at = (rows.lowerBound * wide + mine.lowerBound) * 16
            mnk_swiglu(
                kernels.features, w[.gate].pointer + at, w[.up].pointer + at, mine.count * 16,
                w[.gated].pointer + at)
        }
    }

    /// From the gradient of the layer's output, in the workspace's stream, to that of its input in
    /// the same place; gradients of the terms are added. The workspace holds the layer's values.
    ///
    /// - Parameter needsInput: false for the first layer: nothing is learned before it.
    func backward(_ index: Int, needsInput: Bool) {
        let (w, v) = (workspace, saved.values[index])
        let layer = weights(index, next: -1)
        // Feed-forward.
        pull(layer[.down], index, x: .gated, dy: w.stream, dx: w.wide1, accumulate: false)
        gateBackward(v)
        pull(layer[.gate], index, x: .normed2, dy: w.wide1, dx: w.normedGradient, accumulate: false)
        pull(layer[.up], index, x: .normed2, dy: w.wide2, dx: w.normedGradient, accumulate: true)
        normBackward(v[.middle].pointer, layer.feedForwardNorm)
        // Attention.
        pull(
            layer[.attentionOutput], index, x: .attended, dy: w.stream, dx: w.attendedGradient,
            accumulate: false)
        attendBackward(v)
        rotate(w.queryGradient, heads: c.heads, 0..<rows, backward: true)
        rotate(w.keyGradient, heads: c.kvHeads, 0..<rows, backward: true)
        let dx = needsInput ? w.normedGradient : nil
        pull(layer[.query], index, x: .normed1, dy: w.queryGradient, dx: dx, accumulate: false)
        pull(layer[.key], index, x: .normed1, dy: w.keyGradient, dx: dx, accumulate: true)
        pull(layer[.value], index, x: .normed1, dy: w.valueGradient, dx: dx, accumulate: true)
        if needsInput { normBackward(saved.inputs[index].pointer, layer.attentionNorm) }
        if index < learning { didLearn(layers[index]) }
    }

    /// Gradients of gate and up, in the wide rows, by that of their product, in the first of them.
    private func gateBackward(_ v: LayerValues) {
        let w = workspace
        let wide = c.intermediateSize / 16
        kernels.share(rows * wide) { mine in
            let (at, count) = (mine.lowerBound * 16, mine.count * 16)
            let (dy, dup) = (w.wide1.pointer + at, w.wide2.pointer + at)
            let (gate, up) = (v[.gate].pointer + at, v[.up].pointer + at)
            guard v.gateDerivatives.isSet else {
                mnk_swiglu_backward(kernels.features, gate, up, dy, count, dy, dup)
                return
            }
            for i in 0..<count { (dy[i], dup[i]) = (dy[i] * gate[i], dy[i] * up[i]) }
        }
    }

    // MARK: Linear maps

    /// y (+)= W·x + bias + scale·B·A·x; rows of both but the bias are scaled where they have lengths of
    /// their own.
    private func apply(
        _ linear: FrozenLinear, _ layer: Int, _ x: LayerTensor, _ rows: Range<Int>,
        accumulate: Bool = false, into output: UnsafeMutablePointer<Float>
    ) {
        let (width, inputs) = (linear.weights.outputs, linear.weights.inputs)
        let y = output + rows.lowerBound * width
        if let scaled = scaledMap(linear, layer, x, rows) {
            project(linear, layer, x, rows)
            sum(scaled)
            scaleRows(scaled, accumulate: accumulate, into: y)
        } else {
            kernels.frozen(
                linear.weights, input: saved.values[layer][x].pointer + rows.lowerBound * inputs,
                rows: rows.count, accumulate: accumulate, into: y)
        }
        if let bias = linear.bias {
            kernels.share(rows.count) { mine in
                for row in mine { for i in 0..<width { y[row * width + i] += bias[i] } }
            }
        }
        guard parameters.slot(layers[layer], linear.name)?.magnitudes == nil,
            let slot = project(linear, layer, x, rows)
        else { return }
        expand(slot, layer, rows, into: y)
    }

    /// y += scale·B·A·x, by A·x.
    func expand(
        _ slot: LowRankSlot, _ layer: Int, _ rows: Range<Int>, into y: UnsafeMutablePointer<Float>
    ) {
        kernels.expand(
            projected(slot.linear, layer) + rows.lowerBound * padded(slot.rank, 16),
            rows: rows.count, rank: slot.rank, by: parameters.values.pointer + slot.b,
            width: slot.outputs, scale: shape.scale, into: y)
    }

    /// A·x of a map that has a term.
    @discardableResult
    private func project(
        _ linear: FrozenLinear, _ layer: Int, _ x: LayerTensor, _ rows: Range<Int>
    ) -> LowRankSlot? {
        guard let slot = parameters.slot(layers[layer], linear.name) else { return nil }
        kernels.project(
            saved.values[layer][x].pointer + rows.lowerBound * slot.inputs, rows: rows.count,
            width: slot.inputs, by: parameters.values.pointer + slot.a, rank: slot.rank, scale: 1,
            into: projected(linear.name, layer) + rows.lowerBound * padded(slot.rank, 16))
        return slot
    }

    /// The gradients of a map: of its term, and of its input where that is wanted.
    private func pull(
        _ linear: FrozenLinear, _ layer: Int, x: LayerTensor, dy: LayerWorkspace.Rows,
        dx: LayerWorkspace.Rows?, accumulate: Bool
    ) {
        let slot = parameters.slot(layers[layer], linear.name)
        var dy = dy
        if let scaled = scaledMap(linear, layer, x, 0..<rows) {
            sum(scaled)
            pullLengths(scaled, dy.pointer)
            dy = workspace.scaled
        }
        if let dx {
            kernels.frozen(
                linear.weights, transposed: true, input: dy.pointer, rows: rows,
                accumulate: accumulate, into: dx.pointer)
        }
        guard let slot else { return }
        let values = parameters.values.pointer
        let back = workspace.projectedGradient.pointer
        kernels.project(
            dy.pointer, rows: rows, width: slot.outputs, by: values + slot.b, rank: slot.rank,
            scale: shape.scale, into: back)
        if layer < learning {
            let gradients = parameters.gradients.pointer
            kernels.factorGradient(
                projected(linear.name, layer), dy.pointer, rows: rows, rank: slot.rank,
                width: slot.outputs, scale: shape.scale, into: gradients + slot.b)
            kernels.factorGradient(
                back, saved.values[layer][x].pointer, rows: rows, rank: slot.rank,
                width: slot.inputs, scale: 1, into: gradients + slot.a)
        }
        if let dx {
            kernels.expand(
                back, rows: rows, rank: slot.rank, by: values + slot.a, width: slot.inputs,
                scale: 1, into: dx.pointer)
        }
    }

    private func projected(_ name: LayerLinear, _ layer: Int) -> UnsafeMutablePointer<Float> {
        saved.values[layer].projected(name)
    }

    // MARK: Norms, rotation, attention

    private func norm(
        _ x: UnsafePointer<Float>, _ weight: [Float], _ rows: Range<Int>,
        into y: LayerWorkspace.Rows
    ) {
        let n = c.hiddenSize
        kernels.share(rows.count) { mine in
            let at = (rows.lowerBound + mine.lowerBound) * n
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
    private func rotate(
        _ x: LayerWorkspace.Rows, heads: Int, _ rows: Range<Int>, backward: Bool
    ) {
        let dimension = c.headDimension
        let half = angles.half
        let sine = backward ? angles.minusSine : angles.sine
        for (index, sequence) in batch.sequences.enumerated() {
            let some = sequence.clamped(to: rows)
            kernels.share(some.count) { mine in
                for row in mine.lowerBound + some.lowerBound..<mine.upperBound + some.lowerBound {
                    let position = row - sequence.lowerBound + batch.start(index)
                    mnk_rope(
                        x.pointer + row * heads * dimension, heads,
                        dimension, half, angles.cosine.pointer + position * half,
                        sine.pointer + position * half, c.rope.interleaved ? 1 : 0)
                }
            }
        }
    }

    private func attend(_ v: LayerValues) {
        eachHead(v) { attention, _, scratch in
            var attention = attention
            mnk_training_attend(kernels.features, &attention, scratch)
        }
        if let parts = batch.parts { ring?.attend(self, v, parts) }
    }

    /// Gradients of queries, keys and values by that of what was attended.
    private func attendBackward(_ v: LayerValues) {
        let w = workspace
        let dimension = c.headDimension
        let queries = c.heads * dimension
        eachHead(v) { attention, at, scratch in
            var attention = attention
            mnk_training_attend_backward(
                kernels.features, &attention, w.attendedGradient.pointer + at,
                w.queryGradient.pointer + at, w.keyHeads.pointer + at, w.valueHeads.pointer + at,
                queries, scratch)
        }
        if let parts = batch.parts { ring?.attendBackward(self, v, parts) }
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
        _ v: LayerValues,
        _ body: (mnk_training_attention, _ at: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void
    ) {
        let dimension = c.headDimension
        let queries = c.heads * dimension
        let scale = c.attentionScale ?? 1 / Float(dimension).squareRoot()
        let stride = padded(rows, 32)
        eachUnit { unit, head, scratch in
            let sequence = batch.sequences[unit]
            guard !sequence.isEmpty else { return }
            let at = sequence.lowerBound * queries + head * dimension
            let kv = sequence.lowerBound * c.kvSize + head / (c.heads / c.kvHeads) * dimension
            var attention = mnk_training_attention()
            attention.q = UnsafePointer(v[.query].pointer + at)
            attention.ldq = queries
            attention.k = UnsafePointer(v[.key].pointer + kv)
            attention.v = UnsafePointer(v[.value].pointer + kv)
            attention.ldk = c.kvSize
            (attention.tokens, attention.dim) = (sequence.count, dimension)
            attention.scale = scale
            attention.out = v[.attended].pointer + at
            attention.ldo = queries
            attention.lse = v[.lse].pointer + head * stride + sequence.lowerBound
            body(attention, at, scratch)
        }
    }

    /// Calls `body` for each query head of each sequence, on the pool's threads, with scratch memory.
    func eachUnit(_ body: (_ sequence: Int, _ head: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void) {
        kernels.pool.run { thread, threads in
            for unit in shareOf(batch.sequences.count * c.heads, thread, threads) {
                body(unit / c.heads, unit % c.heads, workspace.scratch[thread].pointer)
            }
        }
    }
}
