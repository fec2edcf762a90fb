import MnemeNumerics

/// One layer of a decoder: its packed weights, and how attention and feed-forward are computed with
/// them.
///
/// x = x + attention(norm(x)); x = x + feedForward(norm(x))
///
/// Gemma norms the two outputs as well. All threads of the pool run the same functions side by
/// side, each on its share of rows, columns or heads; a barrier stands wherever one reads what
/// others wrote.
struct DecoderLayer: Sendable {
    /// Its number, from 0.
    let index: Int
    let attentionNorm: AlignedBuffer<Float>
    /// hiddenSize → heads·headDimension, and twice kvHeads·headDimension.
    let query: Linear
    let key: Linear
    let value: Linear
    /// Norms of each query's and key's head (Qwen 3, Gemma 3).
    let queryNorm: AlignedBuffer<Float>?
    let keyNorm: AlignedBuffer<Float>?
    /// heads·headDimension → hiddenSize.
    let attentionOutput: Linear
    /// Norms of what each half adds to the residual stream (Gemma).
    let attentionPostNorm: AlignedBuffer<Float>?
    let feedForwardPostNorm: AlignedBuffer<Float>?
    let feedForwardNorm: AlignedBuffer<Float>
    /// hiddenSize → intermediateSize, twice, and back.
    let gate: Linear
    let up: Linear
    let down: Linear
    /// The formats in which the first matrices of its two halves read their input. Made once: a
    /// step allocates nothing.
    let attentionReads: ActivationRows.Formats
    let feedForwardReads: ActivationRows.Formats

    /// All linear maps.
    var linears: [Linear] { [query, key, value, attentionOutput, gate, up, down] }

    /// Adds attention's output to the residual stream.
    ///
    /// - Parameter isLast: whether no layer follows; then only the tokens that get logits attend
    ///   and go on.
    func attention(_ pass: inout DecoderPass, isLast: Bool) {
        let w = pass.workspace
        pass.normalize(attentionNorm, formats: attentionReads)
        pass.pool.barrier()
        pass.apply(query, w.input, into: w.queries.pointer, stride: w.queryStride)
        pass.apply(key, w.input, into: w.keys.pointer, stride: w.kvStride)
        pass.apply(value, w.input, into: w.values.pointer, stride: w.kvStride)
        if pass.hasAdapters {
            pass.adapt(
                w.input, AdaptedOutput(query, w.queries.pointer, stride: w.queryStride),
                AdaptedOutput(key, w.keys.pointer, stride: w.kvStride),
                AdaptedOutput(value, w.values.pointer, stride: w.kvStride))
        }
        pass.pool.barrier()
        // Keys and values are in the cache before anybody attends.
        for token in pass.mine {
            rotate(token, pass)
            store(token, pass)
        }
        pass.pool.barrier()
        if isLast {
            pass.attend(index, into: w.plan.pointee.lastRows)
            pass.attendGroups(index, into: w.plan.pointee.lastRows)
            pass.keepLastRows()
        } else {
            pass.attend(index)
            pass.attendGroups(index)
        }
        pass.pool.barrier()
        guard pass.rows > 0 else { return }
        pass.kernels.quantize(
            w.attended, rows: pass.mine, columns: w.queryStride, formats: attentionOutput.reads)
        pass.pool.barrier()
        pass.addToResidual(attentionOutput, w.attended, postNorm: attentionPostNorm)
    }

    /// Adds the feed-forward network's output to the residual stream.
    func feedForward(_ pass: DecoderPass) {
        let w = pass.workspace
        let stride = w.wideStride
        pass.normalize(feedForwardNorm, formats: feedForwardReads)
        pass.pool.barrier()
        pass.apply(gate, w.input, into: w.gated.floats, stride: stride)
        pass.apply(up, w.input, into: w.up.pointer, stride: stride)
        if pass.hasAdapters {
            pass.adapt(
                w.input, AdaptedOutput(gate, w.gated.floats, stride: stride),
                AdaptedOutput(up, w.up.pointer, stride: stride))
        }
        pass.pool.barrier()
        // Shared by blocks of 32 elements, so that a single token keeps all threads busy.
        let blocks = pass.share(of: pass.rows * stride / 32)
        let start = blocks.lowerBound * 32
        pass.kernels.gate(
            w.gated.floats + start, w.up.pointer + start, count: blocks.count * 32,
            gelu: pass.configuration.activation == .gelu)
        pass.kernels.quantize(
            w.gated, rows: blocks, columns: 32, formats: down.reads.subtracting(.inGroups))
        pass.pool.barrier()
        if !down.reads.isDisjoint(with: .inGroups) {
            // Groups are wider than blocks: they need whole rows.
            pass.kernels.quantize(w.gated, rows: pass.mine, columns: stride, formats: down.reads)
            pass.pool.barrier()
        }
        pass.addToResidual(down, w.gated, postNorm: feedForwardPostNorm)
    }

    /// Normalises a token's query and key where the model does, and rotates them to the token's
    /// position (RoPE).
    private func rotate(_ token: Int, _ pass: DecoderPass) {
        let c = pass.configuration
        let w = pass.workspace
        let kernels = pass.kernels
        let q = w.queries.pointer + token * w.queryStride
        let k = w.keys.pointer + token * w.kvStride
        if let queryNorm {
            kernels.rmsNorm(
                q, weight: queryNorm.pointer, epsilon: c.normEpsilon, rows: c.heads,
                columns: c.headDimension, into: q)
        }
        if let keyNorm {
            kernels.rmsNorm(
                k, weight: keyNorm.pointer, epsilon: c.normEpsilon, rows: c.kvHeads,
                columns: c.headDimension, into: k)
        }
        let angles = c.window(layer: index) == nil ? w.angles : w.localAngles ?? w.angles
        let half = c.rope.frequencies.count
        let cosine = angles.cosine.pointer + token * half
        let sine = angles.sine.pointer + token * half
        kernels.rope(
            q, heads: c.heads, dimension: c.headDimension, half: half, cosine: cosine, sine: sine,
            interleaved: c.rope.interleaved)
        kernels.rope(
            k, heads: c.kvHeads, dimension: c.headDimension, half: half, cosine: cosine, sine: sine,
            interleaved: c.rope.interleaved)
    }

    /// Writes a token's key and value to its sequence's KV cache.
    private func store(_ token: Int, _ pass: DecoderPass) {
        let segment = pass.segments[pass.segment(of: token)]
        let offset = token - segment.tokens.lowerBound
        if segment.view.groups != nil {
            // Their heads are not here yet.
        } else if segment.view.heads != nil {
            pass.store(token, heads: 0..<pass.configuration.kvHeads, layer: index)
        } else {
            store(token, at: segment.position(of: offset), view: segment.view, pass)
        }
    }

    /// Writes a token's key and value to its position in a sequence that sees whole blocks of all
    /// heads.
    private func store(_ token: Int, at position: Int, view: KVView, _ pass: DecoderPass) {
        let c = pass.configuration
        let w = pass.workspace
        let layer = index * view.layerStride
        pass.kernels.storeKeys(
            w.keys.pointer + token * w.kvStride, count: c.kvSize,
            into: view.keys + layer + view.keyOffset(position))
        let values = view.values + layer + view.valueOffset(position, dimension: c.headDimension)
        for head in 0..<c.kvHeads {
            let from = head * c.headDimension
            pass.kernels.toHalf(
                w.values.pointer + token * w.kvStride + from, count: c.headDimension,
                into: values + from * KVView.blockTokens)
        }
    }
}
