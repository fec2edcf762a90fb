import Foundation
import MnemeNumerics

/// The memory of a step, made once: activations of up to `tokens` rows, scratch memory for each
/// thread, and the plan of the attention. A step allocates nothing.
final class DecoderWorkspace: Sendable {
    /// The residual stream; rows of ``hiddenStride``.
    let state: AlignedBuffer<Float>
    /// Normalised rows, input of the projections.
    let input: ActivationRows
    /// Outputs of the projections, a row for each token; logits for each token that gets them.
    let queries, keys, values, up, logits: AlignedBuffer<Float>
    /// The output of attention or feed-forward before its norm, or before rows are scaled; empty in
    /// models without post-norms until an adapter scales rows.
    private(set) nonisolated(unsafe) var block: AlignedBuffer<Float>
    /// Of all layers, and of those with a window where they differ.
    let angles: RotaryAngles
    let localAngles: RotaryAngles?
    /// Inputs of the second matrix of attention and of feed-forward.
    let attended, gated: ActivationRows
    /// One for each thread.
    let scratch: [AlignedBuffer<Float>]
    /// Sums of spans of long contexts.
    let partials: AlignedBuffer<Float>
    /// 4 MiB: splits of some long contexts; a segment that finds no room is not split.
    static let partialFloats = 1 << 20
    /// A·x of adapters' terms: for each of the maps that read the same input, three at most, a row
    /// of ``projectionStride`` floats for each token. Grows with the largest rank that comes.
    private(set) nonisolated(unsafe) var projections = AlignedBuffer<Float>(0)
    private(set) nonisolated(unsafe) var projectionStride = 0
    /// What side networks have of rows that get logits. Grows as the projections do.
    private nonisolated(unsafe) var sides = AlignedBuffer<Float>(0)
    private nonisolated(unsafe) var sideStride = 0
    private let tokens: Int
    /// Made by each step.
    nonisolated(unsafe) let plan: UnsafeMutablePointer<AttentionPlan>
    /// Floats from row to row.
    let hiddenStride, queryStride, kvStride, wideStride, logitStride: Int

    /// Sizes that the weights ask of a workspace.
    struct Needs {
        /// Logits of a row, with padding.
        var logitStride: Int
        /// The formats in which matrices read the normalised input, attention's output and the
        /// gated row.
        var input: ActivationRows.Formats
        var attended: ActivationRows.Formats
        var gated: ActivationRows.Formats
        /// True if a layer norms what it adds to the residual stream, and needs room for it.
        var hasPostNorms: Bool
    }

    init(
        _ c: DecoderConfiguration, _ needs: Needs, tokens: Int, logits count: Int, threads: Int
    ) {
        self.tokens = tokens
        // Sizes are multiples of 16, so that strides are the sizes themselves; logits are padded.
        hiddenStride = c.hiddenSize
        queryStride = c.heads * c.headDimension
        kvStride = c.kvSize
        wideStride = c.intermediateSize
        logitStride = needs.logitStride
        state = AlignedBuffer(tokens * hiddenStride)
        input = ActivationRows(
            rows: max(tokens, count), columns: hiddenStride, formats: needs.input)
        queries = AlignedBuffer(tokens * queryStride)
        keys = AlignedBuffer(tokens * kvStride)
        values = AlignedBuffer(tokens * kvStride)
        attended = ActivationRows(rows: tokens, columns: queryStride, formats: needs.attended)
        gated = ActivationRows(rows: tokens, columns: wideStride, formats: needs.gated)
        up = AlignedBuffer(tokens * wideStride)
        block = AlignedBuffer(needs.hasPostNorms ? tokens * hiddenStride : 0)
        angles = RotaryAngles(tokens: tokens, c.rope)
        localAngles = c.localRope.map { RotaryAngles(tokens: tokens, $0) }
        logits = AlignedBuffer(count * logitStride)
        partials = AlignedBuffer(Self.partialFloats)
        plan = .allocate(capacity: 1)
        plan.initialize(to: AttentionPlan(segments: tokens, room: Self.partialFloats))
        scratch = (0..<threads).map { _ in
            AlignedBuffer(
                DecoderKernels.scratch(
                    heads: c.heads, kvHeads: c.kvHeads, dimension: c.headDimension))
        }
    }

    /// Makes room for terms of adapters up to a rank.
    func reserveProjections(rank: Int) {
        guard rank > projectionStride else { return }
        projectionStride = rank
        projections = AlignedBuffer(3 * tokens * rank)
    }

    /// Makes room for what maps give before an adapter scales it.
    func reserveBlock() {
        guard block.count == 0 else { return }
        block = AlignedBuffer(tokens * hiddenStride)
    }

    /// Makes room for side networks, so many floats for each row that gets logits.
    func reserveSides(_ floats: Int, rows: Int) {
        guard floats > sideStride else { return }
        sideStride = floats
        sides = AlignedBuffer(rows * floats)
    }

    /// What a side network has of a row that gets logits.
    func side(_ row: Int) -> UnsafeMutablePointer<Float> { sides.pointer + row * sideStride }

    /// Where A·x of a row is, for the map `slot` of those that read the same input.
    func projection(_ slot: Int, row: Int) -> UnsafeMutablePointer<Float> {
        projections.pointer + (slot * tokens + row) * projectionStride
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

    /// Computes the angles in double precision: a position of 10^5 would lose digits in floats.
    func fill(_ token: Int, position: Double, rope: RotaryEmbedding) {
        let half = rope.frequencies.count
        for i in 0..<half {
            let angle = position * rope.frequencies[i]
            cosine.pointer[token * half + i] = Float(cos(angle) * rope.magnitude)
            sine.pointer[token * half + i] = Float(sin(angle) * rope.magnitude)
        }
    }
}
