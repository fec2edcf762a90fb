import MnemeNumerics

/// The cut of a step's attention into pieces of work, the same in all layers: which segments are
/// split along their context, and which KV splits are read once for several sequences.
///
/// A prefix that sequences share lies in the same blocks (see ``KVView/blocks``), so that its keys
/// and values need to be read once a step, whatever the batch (ChunkAttention, Ye et al. 2024).
/// Made once a step, in memory of its own: a step allocates nothing.
struct AttentionPlan {
    /// A span that some sequences have in common.
    struct Shared {
        var span: Int
        /// The segments that have it, by their place in the plan's ``AttentionPlan/members``.
        var members: Range<Int>
    }

    /// For each segment: where its sums lie among the partials, -1 if it has none; and the first
    /// span that it reads alone.
    private(set) var offsets: [Int]
    private(set) var firstSpans: [Int]
    /// Floats of one head's sums, for segments whose heads keep rows of their own.
    private(set) var headPartials: [Int]
    /// The first row of each segment behind the last layer's keys and values, and the number of
    /// rows at the end: only tokens that get logits go on from there.
    private(set) var lastRows: [Int]
    /// Spans that are read once for several segments, and these segments.
    private(set) var shared: [Shared] = []
    private(set) var members: [Int] = []
    /// Positions that a layer's attention reads, and that it would read if nothing were shared.
    private(set) var readPositions = 0, alonePositions = 0
    /// Floats for partials, and each segment's leader: the segment that its shared splits are read
    /// with, -1 for none.
    private let room: Int
    private var leaders: [Int]

    /// - Parameters:
    ///   - segments: the most of a step.
    ///   - room: floats for partials.
    init(segments: Int, room: Int) {
        offsets = [Int](repeating: -1, count: segments)
        firstSpans = [Int](repeating: 0, count: segments)
        headPartials = firstSpans
        leaders = [Int](repeating: -1, count: segments)
        lastRows = [Int](repeating: 0, count: segments + 1)
        self.room = room
        shared.reserveCapacity(segments * 64)
        members.reserveCapacity(segments * 64)
    }

    /// Plans a step. Allocates nothing.
    ///
    /// - Parameters:
    ///   - logits: whether there will be any.
    ///   - partials: floats that a segment's attention needs to be cut into spans; those of a head
    ///     where heads keep rows of their own.
    ///   - heads: key-value heads of the model.
    ///   - layers: its layers.
    mutating func make(
        _ segments: UnsafeBufferPointer<DecoderSegment>, logits: Bool, heads: Int, layers: Int,
        partials: (DecoderSegment, _ position: Int) -> Int
    ) {
        var used = 0
        shared.removeAll(keepingCapacity: true)
        members.removeAll(keepingCapacity: true)
        (readPositions, alonePositions) = (0, 0)
        for (i, segment) in segments.enumerated() {
            // Ragged heads have room for the longest.
            var position = segment.position
            if let rows = segment.view.heads {
                position = 0
                for head in 0..<layers * heads { position = max(position, rows[head].count) }
            }
            headPartials[i] = partials(segment, position)
            let needed = headPartials[i] * (segment.view.heads == nil ? 1 : heads)
            leaders[i] = -1
            (offsets[i], firstSpans[i]) = needed > 0 && used + needed <= room ? (used, 0) : (-1, 0)
            if offsets[i] >= 0 { used += needed }
            alonePositions += position + segment.tokens.count
            // A single token may share spans with others, and goes on in any case.
            lastRows[i + 1] =
                lastRows[i]
                + (segment.tokens.count == 1
                    ? 1 : logits ? min(segment.logits, segment.tokens.count) : 0)
        }
        readPositions = alonePositions
        for leader in segments.indices
        where canShare(segments[leader], leader) && leaders[leader] < 0 {
            // Sequences whose first span is the leader's follow it as far as they have the same
            // blocks.
            var most = 0
            for i in segments.indices where i > leader && leaders[i] < 0 && canShare(segments[i], i) {
                firstSpans[i] = common(segments[leader], segments[i])
                if firstSpans[i] > 0 { leaders[i] = leader }
                most = max(most, firstSpans[i])
            }
            firstSpans[leader] = most
            for span in 0..<most {
                var start = members.count
                members.append(leader)
                for i in segments.indices
                where i > leader && firstSpans[i] > span && leaders[i] == leader {
                    if members.count - start == DecoderKernels.sharing {
                        shared.append(Shared(span: span, members: start..<members.count))
                        start = members.count
                    } else {
                        readPositions -= DecoderKernels.span
                    }
                    members.append(i)
                }
                shared.append(Shared(span: span, members: start..<members.count))
            }
        }
    }

    /// Sharing is for single tokens behind a whole split: those of a prompt have enough rows of
    /// their own.
    private func canShare(_ segment: DecoderSegment, _ index: Int) -> Bool {
        offsets[index] >= 0 && segment.tokens.count == 1 && segment.view.blocks != nil
            && segment.position >= DecoderKernels.span
    }

    /// Spans at the beginning that both have in the same blocks, and stand behind.
    private func common(_ first: DecoderSegment, _ second: DecoderSegment) -> Int {
        guard let a = first.view.blocks, let b = second.view.blocks else { return 0 }
        let perSpan = DecoderKernels.span / KVView.blockTokens
        let limit = min(63, min(first.position, second.position) / DecoderKernels.span)
        var blocks = 0
        while blocks < limit * perSpan, a[blocks] == b[blocks] { blocks += 1 }
        return blocks / perSpan
    }
}
