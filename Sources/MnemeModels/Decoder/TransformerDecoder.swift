import Foundation
public import MnemeNumerics
import NIOConcurrencyHelpers

/// A decoder-only transformer (RMS norms, rotary positions, grouped queries, gated feed-forward).
///
/// It holds no cache: keys and values are read and written through the ``KVView`` of each sequence.
/// A step takes new tokens of any number of sequences at once, a prompt's or one of each.
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
    /// Used by one step at a time: callers take turns, see ``step(tokens:segments:logits:layers:)``.
    private let workspace: DecoderWorkspace
    private let turn = NIOLock()
    private let reads = NIOLockedValueBox<(read: Int, alone: Int)>((0, 0))

    /// - Parameters:
    ///   - tensors: where the weights are; they are packed, and the file is not needed afterwards.
    init(
        _ tensors: some DecoderTensors, _ configuration: DecoderConfiguration, stepTokens: Int, stepLogits: Int,
        pool: ThreadPool
    ) throws {
        self.configuration = configuration
        self.stepTokens = max(1, stepTokens)
        self.stepLogits = max(1, stepLogits)
        self.pool = pool
        weights = try DecoderWeights(tensors, configuration)
        workspace = DecoderWorkspace(
            configuration, weights, tokens: self.stepTokens, logits: self.stepLogits, threads: pool.threadCount)
    }

    /// Packs the weights of a GGUF file.
    ///
    /// - Parameters:
    ///   - stepTokens: the most tokens of a step; longer prompts come in several.
    ///   - stepLogits: the most logits of a step.
    /// - Throws: ``ModelError``.
    public convenience init(_ file: GGUFFile, stepTokens: Int = 512, stepLogits: Int = 64, pool: ThreadPool = .shared)
        throws
    {
        try self.init(file, try file.decoderConfiguration(), stepTokens: stepTokens, stepLogits: stepLogits, pool: pool)
    }

    /// Packs the weights of a file or folder.
    ///
    /// - Parameter context: tokens to run with; nil takes the model's.
    /// - Throws: ``ModelError``.
    public convenience init(
        _ source: ModelSource, context: Int? = nil, stepTokens: Int = 512, stepLogits: Int = 64,
        pool: ThreadPool = .shared
    ) throws {
        switch source {
        case .gguf(let file):
            try self.init(
                file, try file.decoderConfiguration(context: context), stepTokens: stepTokens, stepLogits: stepLogits,
                pool: pool)
        case .folder(let folder):
            try self.init(folder, folder.configuration, stepTokens: stepTokens, stepLogits: stepLogits, pool: pool)
        }
    }

    /// Bytes of the packed weights.
    public var weightBytes: Int { weights.byteCount }
    /// Threads that a step uses.
    public var threadCount: Int { pool.threadCount }

    /// Bytes of keys and values that attention has read, and that it would have read if each sequence read all of its own. Neither windows
    /// nor tokens that leave the last layer early are counted off.
    public var attentionBytes: (read: Int, alone: Int) {
        let bytes = 2 * configuration.layers * configuration.kvSize * MemoryLayout<UInt16>.stride
        return reads.withLockedValue { ($0.read * bytes, $0.alone * bytes) }
    }

    /// Runs one step.
    ///
    /// - Parameters:
    ///   - tokens: ids below the vocabulary's size; at most ``stepTokens``.
    ///   - segments: cover `tokens` in order; views have room for their new positions. At most ``stepLogits`` logits in all.
    ///   - logits: for each token that gets them, in order, `vocabularySize` floats.
    ///   - layers: how many are computed; fewer than all give keys and values of these layers alone, and no logits.
    /// Callers on several threads take turns.
    public func step(
        tokens: UnsafeBufferPointer<Int32>, segments: UnsafeBufferPointer<DecoderSegment>,
        logits: UnsafeMutablePointer<Float>, layers: Int? = nil
    ) {
        precondition(
            tokens.count <= stepTokens && segments.reduce(0) { $0 + $1.logits } <= stepLogits, "The step is too large.")
        guard !tokens.isEmpty else { return }
        turn.lock()
        defer { turn.unlock() }
        let layers = min(layers ?? .max, weights.layers.count)
        workspace.plan.pointee.make(segments, logits: layers == weights.layers.count) { segment in
            segment.view.heads != nil
                ? 0
                : DecoderKernels.partials(
                    tokens: segment.tokens.count, position: segment.position, heads: configuration.heads,
                    kvHeads: configuration.kvHeads,
                    dimension: configuration.headDimension)
        }
        let plan = workspace.plan.pointee
        reads.withLockedValue { $0 = ($0.read + plan.readPositions, $0.alone + plan.alonePositions) }
        pool.run(Step(decoder: self, tokens: tokens, segments: segments, logits: logits, layers: layers))
    }

    private struct Step: PoolTask {
        unowned(unsafe) let decoder: TransformerDecoder
        let tokens: UnsafeBufferPointer<Int32>
        let segments: UnsafeBufferPointer<DecoderSegment>
        let logits: UnsafeMutablePointer<Float>
        let layers: Int
        func run(_ index: Int, of count: Int) { decoder.run(index, count, tokens, segments, logits, layers) }
    }

    private func run(
        _ thread: Int, _ threads: Int, _ tokens: UnsafeBufferPointer<Int32>,
        _ segments: UnsafeBufferPointer<DecoderSegment>,
        _ logits: UnsafeMutablePointer<Float>, _ layers: Int
    ) {
        let c = configuration, w = workspace
        var n = tokens.count, mine = shareOf(n, thread, threads)
        let half = c.rope.frequencies.count, queries = c.heads * c.headDimension, gelu = c.activation == .gelu
        let queryStride = w.queryStride, kvStride = w.kvStride, wide = w.wideStride, hidden = w.hiddenStride
        for t in mine {
            weights.embedding.row(Int(tokens[t]), into: w.state.pointer + t * hidden)
            if c.embeddingScale != 1 { for i in 0..<hidden { w.state.pointer[t * hidden + i] *= c.embeddingScale } }
            let position = Double(Self.position(of: t, in: segments))
            w.angles.fill(t, position: position, rope: c.rope)
            if let rope = c.localRope { w.localAngles?.fill(t, position: position, rope: rope) }
        }
        for (index, layer) in weights.layers.prefix(layers).enumerated() {
            let angles = c.window(layer: index) == nil ? w.angles : w.localAngles ?? w.angles
            normalize(w.state.pointer, layer.attentionNorm, into: w.input, rows: mine, forms: layer.attentionReads)
            pool.barrier()
            product(layer.query, w.input, n, thread, threads, layer.queryBias, into: w.queries.pointer, queryStride)
            product(layer.key, w.input, n, thread, threads, layer.keyBias, into: w.keys.pointer, kvStride)
            product(layer.value, w.input, n, thread, threads, layer.valueBias, into: w.values.pointer, kvStride)
            pool.barrier()
            for t in mine {
                let q = w.queries.pointer + t * queryStride, k = w.keys.pointer + t * kvStride
                if let norm = layer.queryNorm {
                    kernels.rmsNorm(
                        q, weight: norm.pointer, epsilon: c.normEpsilon, rows: c.heads, columns: c.headDimension,
                        into: q)
                }
                if let norm = layer.keyNorm {
                    kernels.rmsNorm(
                        k, weight: norm.pointer, epsilon: c.normEpsilon, rows: c.kvHeads, columns: c.headDimension,
                        into: k)
                }
                let cosine = angles.cosine.pointer + t * half, sine = angles.sine.pointer + t * half
                kernels.rope(
                    q, heads: c.heads, dimension: c.headDimension, half: half, cosine: cosine, sine: sine,
                    interleaved: c.rope.interleaved)
                kernels.rope(
                    k, heads: c.kvHeads, dimension: c.headDimension, half: half, cosine: cosine, sine: sine,
                    interleaved: c.rope.interleaved)
                let segment = Self.segment(of: t, in: segments), view = segments[segment].view,
                    offset = t - segments[segment].tokens.lowerBound
                if let heads = view.heads {
                    for head in 0..<c.kvHeads {
                        let rows = heads[index * c.kvHeads + head], row = rows.count + offset,
                            from = head * c.headDimension
                        let block = row / KVView.blockTokens * KVView.blockTokens * c.headDimension
                        kernels.storeKeys(
                            k + from, count: c.headDimension, into: rows.keys + block + row % KVView.blockTokens)
                        kernels.toHalf(
                            w.values.pointer + t * kvStride + from, count: c.headDimension,
                            into: rows.values + row * c.headDimension)
                    }
                    continue
                }
                let position = segments[segment].place(offset)
                kernels.storeKeys(
                    k, count: c.kvSize, into: view.keys + index * view.layerStride + view.keyPlace(position))
                let values =
                    view.values + index * view.layerStride + view.valuePlace(position, dimension: c.headDimension)
                for head in 0..<c.kvHeads {
                    kernels.toHalf(
                        w.values.pointer + t * kvStride + head * c.headDimension, count: c.headDimension,
                        into: values + head * c.headDimension * KVView.blockTokens)
                }
            }
            pool.barrier()
            if index < layers - 1 {
                attend(index, thread, threads, segments)
            } else {
                // Nobody reads what the other tokens would be from here on.
                attend(index, thread, threads, segments, into: w.plan.pointee.lastRows)
                keepLastRows(segments, columns: shareOf(hidden, thread, threads))
                n = w.plan.pointee.lastRows[segments.count]
                mine = shareOf(n, thread, threads)
            }
            pool.barrier()
            guard n > 0 else { return }
            kernels.quantize(w.attended, rows: mine, columns: queries, forms: layer.attentionOutput.reads)
            pool.barrier()
            add(layer.attentionOutput, w.attended, layer.attentionPostNorm, n, mine, thread, threads)
            normalize(w.state.pointer, layer.feedForwardNorm, into: w.input, rows: mine, forms: layer.feedForwardReads)
            pool.barrier()
            product(layer.gate, w.input, n, thread, threads, nil, into: w.gated.floats, wide)
            product(layer.up, w.input, n, thread, threads, nil, into: w.up.pointer, wide)
            pool.barrier()
            // Shared by elements, so that a single token keeps all threads busy.
            let blocks = shareOf(n * wide / 32, thread, threads)
            kernels.gate(
                w.gated.floats + blocks.lowerBound * 32, w.up.pointer + blocks.lowerBound * 32,
                count: blocks.count * 32, gelu: gelu)
            kernels.quantize(w.gated, rows: blocks, columns: 32, forms: layer.down.reads)
            pool.barrier()
            add(layer.down, w.gated, layer.feedForwardPostNorm, n, mine, thread, threads)
        }
        guard layers == weights.layers.count else { return }
        // Only rows that get logits go through the last matrix, side by side.
        var row = 0
        for (i, segment) in segments.enumerated() where segment.logits > 0 {
            for t in w.plan.pointee.lastRows[i]..<w.plan.pointee.lastRows[i + 1] {
                if row % threads == thread {
                    kernels.rmsNorm(
                        w.state.pointer + t * hidden, weight: weights.outputNorm.pointer, epsilon: c.normEpsilon,
                        rows: 1, columns: c.hiddenSize,
                        into: w.input.floats + row * c.hiddenSize)
                    kernels.quantize(w.input, rows: row..<row + 1, columns: c.hiddenSize, forms: weights.output.reads)
                }
                row += 1
            }
        }
        guard row > 0 else { return }
        pool.barrier()
        product(weights.output, w.input, row, thread, threads, nil, into: w.logits.pointer, w.logitStride)
        pool.barrier()
        for r in shareOf(row, thread, threads) {
            if let cap = c.logitCap {
                kernels.softCap(w.logits.pointer + r * w.logitStride, count: w.logitStride, cap: cap)
            }
            (logits + r * c.vocabularySize).update(from: w.logits.pointer + r * w.logitStride, count: c.vocabularySize)
        }
    }

    /// Moves the state of the tokens that go on together.
    private func keepLastRows(_ segments: UnsafeBufferPointer<DecoderSegment>, columns: Range<Int>) {
        let state = workspace.state.pointer + columns.lowerBound, hidden = workspace.hiddenStride,
            rows = workspace.plan.pointee.lastRows
        for (i, segment) in segments.enumerated() {
            for (row, token) in zip(rows[i]..<rows[i + 1], segment.tokens.suffix(rows[i + 1] - rows[i]))
            where row != token {
                (state + row * hidden).update(from: state + token * hidden, count: columns.count)
            }
        }
    }

    private func normalize(
        _ state: UnsafeMutablePointer<Float>, _ weight: AlignedBuffer<Float>, into input: DecoderRows, rows: Range<Int>,
        forms: DecoderRows.Forms
    ) {
        let n = configuration.hiddenSize
        kernels.rmsNorm(
            state + rows.lowerBound * n, weight: weight.pointer, epsilon: configuration.normEpsilon, rows: rows.count,
            columns: n,
            into: input.floats + rows.lowerBound * n)
        kernels.quantize(input, rows: rows, columns: n, forms: forms)
    }

    /// Adds what a block computed to the state, normalised first if the model wants it so. Ends with a barrier.
    private func add(
        _ matrix: WeightMatrix, _ input: DecoderRows, _ norm: AlignedBuffer<Float>?, _ rows: Int, _ mine: Range<Int>,
        _ thread: Int, _ threads: Int
    ) {
        let w = workspace, hidden = w.hiddenStride
        if let norm {
            product(matrix, input, rows, thread, threads, nil, into: w.block.pointer, hidden)
            pool.barrier()
            kernels.rmsNorm(
                w.block.pointer + mine.lowerBound * hidden, weight: norm.pointer, epsilon: configuration.normEpsilon,
                rows: mine.count, columns: hidden,
                accumulate: true, into: w.state.pointer + mine.lowerBound * hidden)
        } else {
            product(matrix, input, rows, thread, threads, nil, accumulate: true, into: w.state.pointer, hidden)
        }
        pool.barrier()
    }

    private func product(
        _ matrix: WeightMatrix, _ input: DecoderRows, _ rows: Int, _ thread: Int, _ threads: Int,
        _ bias: AlignedBuffer<Float>?, accumulate: Bool = false,
        into output: UnsafeMutablePointer<Float>, _ stride: Int
    ) {
        matrix.apply(
            input, rows: rows, groups: shareOf(matrix.paddedOutputs / 16, thread, threads), accumulate: accumulate,
            bias: bias.map { UnsafePointer($0.pointer) },
            into: output, stride: stride)
    }

    /// Attention of all segments; each thread takes its share of all units.
    ///
    /// - Parameter lastRows: as in the plan, where only these tokens are to attend.
    private func attend(
        _ layer: Int, _ thread: Int, _ threads: Int, _ segments: UnsafeBufferPointer<DecoderSegment>,
        into lastRows: [Int]? = nil
    ) {
        let c = configuration, w = workspace, plan = w.plan, window = c.window(layer: layer),
            scratch = w.scratch[thread].pointer
        // Heads that keep rows of their own are attended to one by one.
        func pieces(_ i: Int) -> Int {
            if let lastRows, lastRows[i] == lastRows[i + 1] { return 0 }
            return segments[i].view.heads == nil ? 1 : c.kvHeads
        }
        func attention(_ i: Int, _ head: Int = 0, of lastRows: [Int]?) -> DecoderKernels.Attention {
            let segment = segments[i], view = segment.view,
                count = lastRows.map { $0[i + 1] - $0[i] } ?? segment.tokens.count
            let skipped = segment.tokens.count - count, first = segment.tokens.lowerBound + skipped,
                row = lastRows?[i] ?? first
            if let rows = view.heads?[layer * c.kvHeads + head] {
                let group = c.heads / c.kvHeads, offset = head * group * c.headDimension
                return DecoderKernels.Attention(
                    queries: w.queries.pointer + first * w.queryStride + offset, stride: w.queryStride, keys: rows.keys,
                    values: rows.values,
                    blockStride: KVView.blockTokens * c.headDimension, table: nil, tokens: count,
                    position: rows.count + skipped, heads: group, kvHeads: 1,
                    dimension: c.headDimension, window: window ?? 0,
                    scale: c.attentionScale ?? 1 / Float(c.headDimension).squareRoot(),
                    cap: c.attentionCap ?? 0, into: w.attended.floats + row * w.queryStride + offset,
                    outputStride: w.queryStride,
                    many: (rows.manyRow, log(rows.many)))
            }
            var a = DecoderKernels.Attention(
                queries: w.queries.pointer + first * w.queryStride, stride: w.queryStride,
                keys: view.keys + layer * view.layerStride,
                values: view.values + layer * view.layerStride, blockStride: view.blockStride, table: view.table,
                tokens: count,
                position: segment.position + skipped, heads: c.heads, kvHeads: c.kvHeads, dimension: c.headDimension,
                window: window ?? 0,
                scale: c.attentionScale ?? 1 / Float(c.headDimension).squareRoot(), cap: c.attentionCap ?? 0,
                into: w.attended.floats + row * w.queryStride, outputStride: w.queryStride,
                places: segment.places.map { $0 + skipped })
            // A window sees too little of what is shared.
            if plan.pointee.offsets[i] >= 0 {
                kernels.share(
                    &a, partials: w.partials.pointer + plan.pointee.offsets[i],
                    firstSpan: window == nil ? plan.pointee.firstSpans[i] : 0)
            }
            return a
        }
        let sharedUnits = window == nil ? plan.pointee.shared.count * c.kvHeads : 0
        var total = sharedUnits, start = sharedUnits, isShared = false
        for i in segments.indices {
            for head in 0..<pieces(i) {
                var a = attention(i, head, of: lastRows)
                total += kernels.units(&a)
            }
            isShared = isShared || plan.pointee.offsets[i] >= 0
        }
        let share = shareOf(total, thread, threads)
        for unit in share.clamped(to: 0..<sharedUnits) {
            let part = plan.pointee.shared[unit / c.kvHeads], head = unit % c.kvHeads
            withUnsafeTemporaryAllocation(of: DecoderKernels.Attention.self, capacity: part.members.count) { members in
                for (j, member) in part.members.enumerated() {
                    members.initializeElement(at: j, to: attention(plan.pointee.members[member], of: lastRows))
                }
                kernels.attend(shared: members, span: part.span, heads: head..<head + 1, scratch: scratch)
            }
        }
        for i in segments.indices {
            for head in 0..<pieces(i) {
                var a = attention(i, head, of: lastRows)
                let count = kernels.units(&a), here = share.clamped(to: start..<start + count)
                if !here.isEmpty {
                    kernels.attend(&a, units: here.lowerBound - start..<here.upperBound - start, scratch: scratch)
                }
                start += count
            }
            guard let observation = segments[i].observation, layer >= observation.firstLayer else { continue }
            for head in 0..<c.kvHeads where head % threads == thread {
                var a = attention(i, head, of: nil)
                kernels.addMass(
                    &a, head: segments[i].view.heads == nil ? head : 0,
                    lastTokens: min(observation.tokens, segments[i].tokens.count),
                    into: observation.mass + ((layer - observation.firstLayer) * c.kvHeads + head) * observation.stride)
            }
        }
        guard isShared else { return }
        pool.barrier()
        let heads = shareOf(segments.count * c.kvHeads, thread, threads)
        for i in segments.indices where plan.pointee.offsets[i] >= 0 && pieces(i) > 0 {
            let here = heads.clamped(to: i * c.kvHeads..<(i + 1) * c.kvHeads)
            guard !here.isEmpty else { continue }
            var a = attention(i, of: lastRows)
            kernels.merge(&a, heads: here.lowerBound - i * c.kvHeads..<here.upperBound - i * c.kvHeads)
        }
    }

    private static func segment(of token: Int, in segments: UnsafeBufferPointer<DecoderSegment>) -> Int {
        var i = 0
        while segments[i].tokens.upperBound <= token { i += 1 }
        return i
    }

    private static func position(of token: Int, in segments: UnsafeBufferPointer<DecoderSegment>) -> Int {
        let segment = segments[segment(of: token, in: segments)]
        return segment.place(token - segment.tokens.lowerBound)
    }
}

/// The memory of a step, made once.
final class DecoderWorkspace: Sendable {
    /// The residual stream; rows of ``hiddenStride``.
    let state: AlignedBuffer<Float>
    /// Normalised rows, input of the projections.
    let input: DecoderRows
    let queries, keys, values, up, logits: AlignedBuffer<Float>
    /// What a block adds to the state, before its norm; empty in models without post-norms.
    let block: AlignedBuffer<Float>
    let angles: RotaryAngles
    let localAngles: RotaryAngles?
    let attended, gated: DecoderRows
    let scratch: [AlignedBuffer<Float>]
    /// Sums of spans of long contexts.
    let partials: AlignedBuffer<Float>
    static let partialFloats = 1 << 20
    /// Made by each step.
    nonisolated(unsafe) let plan: UnsafeMutablePointer<AttentionPlan>
    let hiddenStride, queryStride, kvStride, wideStride, logitStride: Int

    init(_ c: DecoderConfiguration, _ w: DecoderWeights, tokens: Int, logits count: Int, threads: Int) {
        // Sizes are multiples of 16, so that strides are the sizes themselves; logits are padded.
        hiddenStride = c.hiddenSize
        queryStride = c.heads * c.headDimension
        kvStride = c.kvSize
        wideStride = c.intermediateSize
        logitStride = w.output.paddedOutputs
        state = AlignedBuffer(tokens * hiddenStride)
        input = DecoderRows(
            rows: max(tokens, count), columns: hiddenStride,
            forms: w.layers.reduce(w.output.reads) { $0.union($1.attentionReads).union($1.feedForwardReads) })
        queries = AlignedBuffer(tokens * queryStride)
        keys = AlignedBuffer(tokens * kvStride)
        values = AlignedBuffer(tokens * kvStride)
        attended = DecoderRows(
            rows: tokens, columns: queryStride, forms: w.layers.reduce([]) { $0.union($1.attentionOutput.reads) })
        gated = DecoderRows(rows: tokens, columns: wideStride, forms: w.layers.reduce([]) { $0.union($1.down.reads) })
        up = AlignedBuffer(tokens * wideStride)
        block = AlignedBuffer(
            w.layers.contains { $0.attentionPostNorm != nil || $0.feedForwardPostNorm != nil }
                ? tokens * hiddenStride : 0)
        angles = RotaryAngles(tokens: tokens, c.rope)
        localAngles = c.localRope.map { RotaryAngles(tokens: tokens, $0) }
        logits = AlignedBuffer(count * logitStride)
        partials = AlignedBuffer(Self.partialFloats)
        plan = .allocate(capacity: 1)
        plan.initialize(to: AttentionPlan(segments: tokens, room: Self.partialFloats))
        scratch = (0..<threads).map { _ in
            AlignedBuffer(DecoderKernels.scratch(heads: c.heads, kvHeads: c.kvHeads, dimension: c.headDimension))
        }
    }

    deinit {
        plan.deinitialize(count: 1)
        plan.deallocate()
    }
}

/// Cosine and sine of each token's rotations.
struct RotaryAngles: Sendable {
    let cosine, sine: AlignedBuffer<Float>

    init(tokens: Int, _ rope: RotaryEmbedding) {
        cosine = AlignedBuffer(tokens * rope.frequencies.count)
        sine = AlignedBuffer(tokens * rope.frequencies.count)
    }

    func fill(_ token: Int, position: Double, rope: RotaryEmbedding) {
        let half = rope.frequencies.count
        for i in 0..<half {
            let angle = position * rope.frequencies[i]
            cosine.pointer[token * half + i] = Float(cos(angle) * rope.magnitude)
            sine.pointer[token * half + i] = Float(sin(angle) * rope.magnitude)
        }
    }
}
