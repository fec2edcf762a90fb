import MnemeNumerics

/// One thread's part of a decoder step: the rows that are its own, and what the layers are computed
/// with.
///
/// All threads run the same pass side by side; a barrier stands where one reads what others wrote.
/// Row-wise work (norms, rotation) is shared by rows, products by columns, attention by units, so
/// that a single token keeps all threads busy, too.
struct DecoderPass {
    /// The model's shape, the step's memory, and the means.
    let configuration: DecoderConfiguration
    let workspace: DecoderWorkspace
    let kernels: DecoderKernels
    let pool: ThreadPool
    /// This thread's number, and of how many.
    let thread: Int
    let threads: Int
    let segments: UnsafeBufferPointer<DecoderSegment>
    /// Rows of the residual stream that are computed: all tokens, behind the last attention only
    /// those that go on.
    private(set) var rows: Int
    /// This thread's share of ``rows``.
    private(set) var mine: Range<Int>
    /// True if a segment has an adapter.
    let hasAdapters: Bool
    /// True if one of them scales rows of the maps (DoRA).
    let scalesRows: Bool
    /// True if only the rows that get logits are left.
    private var keepsLastRows = false

    init(
        _ configuration: DecoderConfiguration, _ workspace: DecoderWorkspace,
        _ kernels: DecoderKernels,
        pool: ThreadPool, thread: Int, threads: Int, segments: UnsafeBufferPointer<DecoderSegment>,
        tokens: Int
    ) {
        self.configuration = configuration
        self.workspace = workspace
        self.kernels = kernels
        self.pool = pool
        self.thread = thread
        self.threads = threads
        self.segments = segments
        rows = tokens
        mine = shareOf(tokens, thread, threads)
        hasAdapters = segments.contains { $0.adapter != nil }
        scalesRows = segments.contains { $0.adapter?.scalesRows == true }
    }

    /// This thread's share of `count` pieces of work.
    func share(of count: Int) -> Range<Int> { shareOf(count, thread, threads) }

    /// The index of the segment that holds a token of the step.
    func segment(of token: Int) -> Int {
        var i = 0
        while segments[i].tokens.upperBound <= token { i += 1 }
        return i
    }

    /// output (+)= the map of all rows of `input`, this thread's columns.
    func apply(
        _ linear: Linear, _ input: ActivationRows, rows count: Int? = nil, accumulate: Bool = false,
        into output: UnsafeMutablePointer<Float>, stride: Int
    ) {
        linear.apply(
            input, rows: count ?? rows, groups: share(of: linear.matrix.paddedOutputs / 16),
            accumulate: accumulate,
            into: output, stride: stride)
    }

    /// The rows of a segment.
    func rows(of segment: Int) -> Range<Int> {
        guard keepsLastRows else { return segments[segment].tokens }
        let first = workspace.plan.pointee.lastRows
        return first[segment]..<first[segment + 1]
    }

    /// Normalises this thread's rows of the residual stream, as the input of matrices that read
    /// these formats.
    func normalize(_ weight: AlignedBuffer<Float>, formats: ActivationRows.Formats) {
        let w = workspace
        let n = configuration.hiddenSize
        kernels.rmsNorm(
            w.state.pointer + mine.lowerBound * n, weight: weight.pointer,
            epsilon: configuration.normEpsilon,
            rows: mine.count, columns: n, into: w.input.floats + mine.lowerBound * n)
        kernels.quantize(w.input, rows: mine, columns: n, formats: formats)
    }

    /// Adds a block's output to the residual stream, normalised first if the model has a post-norm.
    /// Ends with a barrier.
    func addToResidual(_ linear: Linear, _ input: ActivationRows, postNorm: AlignedBuffer<Float>?) {
        let w = workspace
        let hidden = w.hiddenStride
        if let postNorm {
            apply(linear, input, into: w.block.pointer, stride: hidden)
            if hasAdapters {
                adapt(input, AdaptedOutput(linear, w.block.pointer, stride: hidden))
            }
            pool.barrier()
            kernels.rmsNorm(
                w.block.pointer + mine.lowerBound * hidden, weight: postNorm.pointer,
                epsilon: configuration.normEpsilon, rows: mine.count, columns: hidden,
                accumulate: true,
                into: w.state.pointer + mine.lowerBound * hidden)
        } else if scalesRows {
            addScaled(linear, input)
        } else {
            apply(linear, input, accumulate: true, into: w.state.pointer, stride: hidden)
            if hasAdapters {
                adapt(input, AdaptedOutput(linear, w.state.pointer, stride: hidden))
            }
        }
        pool.barrier()
    }

    /// Goes on with the tokens that get logits alone: nobody reads what the others would be behind
    /// the last attention.
    mutating func keepLastRows() {
        let columns = share(of: workspace.hiddenStride)
        let hidden = workspace.hiddenStride
        let state = workspace.state.pointer + columns.lowerBound
        let lastRows = workspace.plan.pointee.lastRows
        for (i, segment) in segments.enumerated() {
            let kept = lastRows[i]..<lastRows[i + 1]
            for (row, token) in zip(kept, segment.tokens.suffix(kept.count)) where row != token {
                (state + row * hidden).update(from: state + token * hidden, count: columns.count)
            }
        }
        keepsLastRows = true
        rows = lastRows[segments.count]
        mine = share(of: rows)
    }
}
