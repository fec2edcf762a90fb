import Foundation
public import MnemeNumerics
import NIOConcurrencyHelpers

/// A decoder-only transformer (RMS norms, rotary positions, grouped queries, gated feed-forward).
///
/// It holds no cache: keys and values are read and written through the ``KVView`` of each sequence.
/// A step takes new tokens of any number of sequences at once, a prompt's or one of each
/// (continuous batching). A token's results are the same bits whatever else is in its step, however
/// a prompt is cut into steps, and on any number of threads.
public final class TransformerDecoder: Sendable {
    /// The model's shape.
    public let configuration: DecoderConfiguration
    /// Tokens that one step takes at most.
    public let stepTokens: Int
    /// Logits that one step gives at most.
    public let stepLogits: Int

    private let weights: DecoderWeights
    private let pool: ThreadPool
    private let kernels = DecoderKernels()
    /// Used by one step at a time: callers take turns, see
    /// ``step(tokens:segments:logits:layers:hook:)``.
    private let workspace: DecoderWorkspace
    private let lock = NIOLock()
    /// Positions, summed over steps; see ``attentionBytes``.
    private let reads = NIOLockedValueBox<(read: Int, alone: Int)>((0, 0))

    /// - Parameters:
    ///   - tensors: where the weights are; they are packed, and the file is not needed afterwards.
    /// - Throws: ``MnemeBase/ModelError``.
    package init(
        _ tensors: some DecoderTensors, _ configuration: DecoderConfiguration, stepTokens: Int,
        stepLogits: Int,
        pool: ThreadPool
    ) throws {
        self.configuration = configuration
        self.stepTokens = max(1, stepTokens)
        self.stepLogits = max(1, stepLogits)
        self.pool = pool
        weights = try DecoderWeights(tensors, configuration)
        workspace = DecoderWorkspace(
            configuration, weights.workspaceNeeds, tokens: self.stepTokens, logits: self.stepLogits,
            threads: pool.threadCount)
    }

    /// Packs the weights of a GGUF file.
    ///
    /// - Parameters:
    ///   - file: the model.
    ///   - stepTokens: the most tokens of a step; longer prompts come in several.
    ///   - stepLogits: the most logits of a step.
    ///   - pool: threads that share a step.
    /// - Throws: `ModelError`.
    public convenience init(
        _ file: GGUFFile, stepTokens: Int = 512, stepLogits: Int = 64, pool: ThreadPool = .shared
    )
        throws
    {
        try self.init(
            file, try file.decoderConfiguration(), stepTokens: stepTokens, stepLogits: stepLogits,
            pool: pool)
    }

    /// Packs the weights of a file or folder.
    ///
    /// - Parameters:
    ///   - source: the weights.
    ///   - stepTokens: the most tokens of a step: scratch memory is for so many.
    ///   - stepLogits: the most positions of a step that are scored.
    ///   - pool: threads that share a step.
    ///   - context: tokens to run with; nil takes the model's.
    /// - Throws: `ModelError`.
    public convenience init(
        _ source: ModelSource, context: Int? = nil, stepTokens: Int = 512, stepLogits: Int = 64,
        pool: ThreadPool = .shared
    ) throws {
        switch source {
        case .gguf(let file):
            try self.init(
                file, try file.decoderConfiguration(context: context), stepTokens: stepTokens,
                stepLogits: stepLogits,
                pool: pool)
        case .folder(let folder):
            try self.init(
                folder, folder.configuration, stepTokens: stepTokens, stepLogits: stepLogits,
                pool: pool)
        }
    }

    /// Bytes of the packed weights.
    public var weightBytes: Int { weights.byteCount }
    /// Bytes of the packed weights of several models; those of blocks that they have in common count once.
    public static func weightBytes(of decoders: [TransformerDecoder]) -> Int {
        DecoderWeights.byteCount(decoders.map(\.weights))
    }
    /// Threads that a step uses.
    public var threadCount: Int { pool.threadCount }

    /// Bytes of the KV cache that attention has read, and that it would have read if each sequence
    /// read all of its own. Neither windows nor tokens that leave the last layer early are counted
    /// off.
    public var attentionBytes: (read: Int, alone: Int) {
        let bytes = 2 * configuration.layers * configuration.kvSize * MemoryLayout<UInt16>.stride
        return reads.withLockedValue { ($0.read * bytes, $0.alone * bytes) }
    }

    /// The embedding of a token, as it is stored.
    package func embedding(of token: Int32) -> [Float] {
        [Float](unsafeUninitializedCapacity: configuration.hiddenSize) { buffer, count in
            weights.embedding.row(Int(token), into: buffer.baseAddress!)
            count = configuration.hiddenSize
        }
    }

    /// Runs one step.
    ///
    /// - Parameters:
    ///   - tokens: ids below the vocabulary's size, and those of procedures of the segment's adapter; at most
    ///     ``stepTokens``.
    ///   - segments: cover `tokens` in order; views have room for their new positions. At most
    ///     ``stepLogits`` logits in all.
    ///   - logits: for each token that gets them, in order, `vocabularySize` floats.
    ///   - scores: room for the logits of procedures; nil where nobody asks for them.
    ///   - layers: how many are computed; fewer than all give keys and values of these layers
    ///     alone, and no logits.
    ///   - hook: called with the hidden states behind each layer.
    ///
    /// Callers on several threads take turns.
    public func step(
        tokens: UnsafeBufferPointer<Int32>, segments: UnsafeBufferPointer<DecoderSegment>,
        logits: UnsafeMutablePointer<Float>, scores: ProcedureScores? = nil, layers: Int? = nil,
        hook: LayerHook? = nil
    ) {
        step(
            Step(
                decoder: self, tokens: tokens, segments: segments, logits: logits, scores: scores,
                layers: min(layers ?? .max, weights.layers.count), hook: hook, paused: nil))
    }

    /// Goes on with a step from the layers that it has on.
    ///
    /// - Parameters:
    ///   - paused: the step; it has room for these tokens, the same each time.
    ///   - layers: how many it is to have; all give its keys and values whole. There are no logits.
    ///   - tokens: ids below the vocabulary's size; at most ``stepTokens``.
    ///   - segments: cover `tokens` in order and want no logits; views have room for their new
    ///     positions.
    package func resume(
        _ paused: PausedStep, to layers: Int, tokens: UnsafeBufferPointer<Int32>,
        segments: UnsafeBufferPointer<DecoderSegment>
    ) {
        let layers = min(layers, weights.layers.count)
        precondition(
            tokens.count == paused.tokens && paused.states.count == tokens.count * configuration.hiddenSize
                && segments.allSatisfy { $0.logits == 0 }, "Another step was to go on.")
        guard layers > paused.layers else { return }
        step(
            Step(
                decoder: self, tokens: tokens, segments: segments, logits: paused.states.pointer, scores: nil,
                layers: layers, hook: nil, paused: paused))
        paused.layers = layers
    }

    private func step(_ step: Step) {
        let (tokens, segments, layers) = (step.tokens, step.segments, step.layers)
        precondition(
            tokens.count <= stepTokens && segments.reduce(0) { $0 + $1.logits } <= stepLogits,
            "The step is too large.")
        guard !tokens.isEmpty else { return }
        lock.lock()
        defer { lock.unlock() }
        // The plan is made by one thread, before the others begin.
        let c = configuration
        workspace.plan.pointee.make(
            segments, logits: layers == weights.layers.count, heads: c.kvHeads, layers: c.layers
        ) { segment, position in
            let isRagged = segment.view.heads != nil
            return DecoderKernels.partials(
                tokens: segment.tokens.count, position: position,
                heads: isRagged ? c.heads / c.kvHeads : c.heads,
                kvHeads: isRagged ? 1 : c.kvHeads, dimension: c.headDimension)
        }
        let plan = workspace.plan.pointee
        // A step that is computed in parts counts once.
        if step.paused == nil || layers == weights.layers.count {
            reads.withLockedValue {
                $0 = ($0.read + plan.readPositions, $0.alone + plan.alonePositions)
            }
        }
        reserveProjections(segments)
        pool.run(step)
    }

    /// An adapter as this model's steps read it.
    ///
    /// - Throws: ``AdapterError`` if it does not fit.
    /// - Complexity: linear in the adapter's values; where it gives rows lengths (DoRA), a pass over the
    ///   model's weights for each rank.
    public func bind(_ adapter: Adapter) throws -> DecoderAdapter {
        let (layers, maps) = (weights.layers, LayerLinear.allCases.count)
        return try DecoderAdapter(adapter, for: configuration) { layers[$0 / maps].linears[$0 % maps].matrix }
    }

    /// Makes room for what adapters' terms make of the step's rows, if it has any.
    private func reserveProjections(_ segments: UnsafeBufferPointer<DecoderSegment>) {
        var rank = 0
        for case let adapter? in segments.lazy.map(\.adapter) {
            precondition(
                adapter.terms.count == weights.layers.count * LayerLinear.allCases.count,
                "The adapter is another model's.")
            rank = max(rank, adapter.rank)
            if adapter.scalesRows { workspace.reserveBlock() }
            if let side = adapter.side {
                workspace.reserveSides(SideStep.Row.count(side.sizes), rows: stepLogits)
            }
        }
        workspace.reserveProjections(rank: rank)
    }

    /// The arguments of a step, handed to the pool without an allocation.
    private struct Step: PoolTask {
        unowned(unsafe) let decoder: TransformerDecoder
        let tokens: UnsafeBufferPointer<Int32>
        let segments: UnsafeBufferPointer<DecoderSegment>
        let logits: UnsafeMutablePointer<Float>
        let scores: ProcedureScores?
        let layers: Int
        let hook: LayerHook?
        /// The step that these layers go on with; nil if they are computed at once.
        let paused: PausedStep?

        func run(_ index: Int, of count: Int) {
            var pass = DecoderPass(
                decoder.configuration, decoder.workspace, decoder.kernels, pool: decoder.pool,
                thread: index,
                threads: count, segments: segments, tokens: tokens.count)
            decoder.run(self, &pass)
        }
    }

    /// One thread's part of the forward pass: embedding, layers, logits. Behind the last layer's
    /// attention, only rows that get logits go on.
    private func run(_ step: Step, _ pass: inout DecoderPass) {
        embed(step.tokens, pass)
        let first = step.paused?.layers ?? 0
        // Only logits have a side network, and all layers before them.
        let hasSides =
            step.paused == nil && step.layers == weights.layers.count
            && pass.segments.contains { $0.adapter?.side != nil }
        if let paused = step.paused, first > 0 { restore(paused, pass) }
        // Layers that others follow give hidden states, all others none but those of logits.
        let last = (step.paused == nil ? step.layers : weights.layers.count) - 1
        for layer in weights.layers[first..<step.layers] {
            let isLast = layer.index == last
            layer.attention(&pass, isLast: isLast)
            guard pass.rows > 0 else { return }
            layer.feedForward(pass)
            if let hook = step.hook { call(hook, layer.index, isLast, pass) }
            if hasSides { pass.takeSides(layer.index, isLast: isLast) }
        }
        if let paused = step.paused { return keep(paused, pass) }
        guard step.layers == weights.layers.count else { return }
        project(pass, into: step.logits, step.scores)
    }

    /// Fills the residual stream with the tokens' embeddings, and the angles of their positions.
    private func embed(_ tokens: UnsafeBufferPointer<Int32>, _ pass: DecoderPass) {
        let c = configuration
        let w = workspace
        let hidden = w.hiddenStride
        for t in pass.mine {
            let segment = pass.segments[pass.segment(of: t)]
            if let row = segment.adapter?.procedures?.row(tokens[t]) {
                (w.state.pointer + t * hidden).update(from: row, count: c.hiddenSize)
            } else {
                weights.embedding.row(Int(tokens[t]), into: w.state.pointer + t * hidden)
            }
            if c.embeddingScale != 1 {
                for i in 0..<hidden { w.state.pointer[t * hidden + i] *= c.embeddingScale }
            }
            let position = Double(segment.position(of: t - segment.tokens.lowerBound))
            w.angles.fill(t, position: position, rope: c.rope)
            if let rope = c.localRope { w.localAngles?.fill(t, position: position, rope: rope) }
        }
    }

    /// Copies this thread's rows out of a step that pauses, or back into the residual stream.
    private func keep(_ paused: PausedStep, _ pass: DecoderPass) {
        let start = pass.mine.lowerBound * workspace.hiddenStride
        (paused.states.pointer + start).update(
            from: workspace.state.pointer + start, count: pass.mine.count * workspace.hiddenStride)
    }
    private func restore(_ paused: PausedStep, _ pass: DecoderPass) {
        let start = pass.mine.lowerBound * workspace.hiddenStride
        (workspace.state.pointer + start).update(
            from: paused.states.pointer + start, count: pass.mine.count * workspace.hiddenStride)
    }

    /// Calls the hook with this thread's rows, then waits for the others: the next layer's products
    /// read all rows.
    private func call(_ hook: LayerHook, _ layer: Int, _ isLast: Bool, _ pass: DecoderPass) {
        hook.body(
            HiddenStates(
                layer: layer, rows: pass.mine, width: configuration.hiddenSize,
                state: workspace.state.pointer,
                segments: pass.segments, lastRows: isLast ? workspace.plan.pointee.lastRows : nil))
        pool.barrier()
    }

    /// Computes the logits of the rows that get them; only these go through the last matrix, side
    /// by side.
    private func project(
        _ pass: DecoderPass, into logits: UnsafeMutablePointer<Float>, _ scores: ProcedureScores?
    ) {
        let c = configuration
        let w = workspace
        let hidden = w.hiddenStride
        var row = 0
        for (i, segment) in pass.segments.enumerated() where segment.logits > 0 {
            for t in w.plan.pointee.lastRows[i]..<w.plan.pointee.lastRows[i + 1] {
                if row % pass.threads == pass.thread {
                    kernels.rmsNorm(
                        w.state.pointer + t * hidden, weight: weights.outputNorm.pointer,
                        epsilon: c.normEpsilon,
                        rows: 1, columns: c.hiddenSize, into: w.input.floats + row * c.hiddenSize)
                    kernels.quantize(
                        w.input, rows: row..<row + 1, columns: c.hiddenSize,
                        formats: weights.output.reads)
                }
                row += 1
            }
        }
        guard row > 0 else { return }
        pool.barrier()
        pass.apply(
            weights.output, w.input, rows: row, into: w.logits.pointer, stride: w.logitStride)
        pool.barrier()
        for r in pass.share(of: row) {
            let from = w.logits.pointer + r * w.logitStride
            if let cap = c.logitCap { kernels.softCap(from, count: w.logitStride, cap: cap) }
            (logits + r * c.vocabularySize).update(from: from, count: c.vocabularySize)
        }
        if let scores { score(pass, into: scores) }
    }

    /// Computes the logits of procedures' addresses from the normed rows that got logits, each thread its own.
    private func score(_ pass: DecoderPass, into scores: ProcedureScores) {
        var row = 0
        for segment in pass.segments {
            let procedures = segment.adapter?.procedures
            for _ in 0..<segment.logits {
                if let procedures, row % pass.threads == pass.thread {
                    procedures.score(
                        workspace.input.floats + row * configuration.hiddenSize,
                        into: scores.values + row * ProcedureScores.stride)
                }
                row += 1
            }
        }
    }
}
