import Foundation
public import MnemeModels
import MnemeNumerics

/// One sequence's KV cache, of which a policy keeps a part: each head of each layer has rows of its
/// own (ragged heads).
///
/// It owns storage and positions. Rows of a head lie side by side, so that attention reads no more
/// than what is kept, and memory behind them goes back to the system. Address space is reserved for
/// all positions at once; pages come when they are written. Not safe for use from several threads.
///
/// It has neither sharing nor batching nor tiers: it measures policies (`mneme kv eval`).
public final class CompressedCache {
    /// The policy.
    public let policy: KVPolicy
    /// Rows that a head may keep on average.
    public let budget: Int
    /// The format of full blocks of 32 rows: each but the first, and those that `exact` protects,
    /// goes through the codec once.
    public let codec: KVCodec
    private let decoder: TransformerDecoder
    private let exact: Int
    private let capacity: Int
    private let rebase: KVRebase
    private let base: UnsafeMutableRawPointer
    private let bytesOfHead: Int
    private let heads: UnsafeMutablePointer<KVHeadRows>
    private var positions: [[Int32]]
    /// Blocks of each head that went through the codec.
    private var encoded: [Int]
    private let accumulatedAttention: AlignedBuffer<Float>
    private var next = 0
    private var isBehindPrompt = false
    /// Tokens since rows were evicted.
    private var fresh = 0

    /// - Parameters:
    ///   - budget: rows that a head may keep on average.
    ///   - positions: the most tokens that will come.
    ///   - exact: the last rows that stay as they are (KIVI's residual).
    /// - Throws: ``KVError`` without memory, or if the parts do not go together.
    public init(
        _ decoder: TransformerDecoder, _ policy: KVPolicy, budget: Int, positions: Int,
        codec: KVCodec = .f16,
        exact: Int = 0
    ) throws {
        let c = decoder.configuration
        if policy.movesTogether, (0..<c.layers).contains(where: { c.window(layer: $0) != nil }) {
            throw KVError(
                .unsupported,
                "\(policy.name) moves rows together, which a model with sliding windows does not allow."
            )
        }
        if case .every = policy.trigger, codec != .f16 {
            throw KVError(
                .unsupported,
                "\(policy.name) gives rows up all the time; with a codec they would be encoded again and again. Use f16."
            )
        }
        self.decoder = decoder
        self.policy = policy
        self.budget = max(1, budget)
        self.codec = codec
        self.exact = exact
        rebase = KVRebase(c)
        capacity = KVShape.blocks(positions) * KVShape.blockTokens
        bytesOfHead = 2 * capacity * c.headDimension * MemoryLayout<UInt16>.stride
        let count = c.layers * c.kvHeads
        guard
            let mapped = mmap(
                nil, count * bytesOfHead, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
            mapped != MAP_FAILED
        else {
            throw KVError(
                .outOfMemory,
                "There is no memory for the keys and values of \(positions) tokens. Ask for fewer tokens."
            )
        }
        base = mapped
        heads = .allocate(capacity: count)
        for i in 0..<count {
            let keys = (mapped + i * bytesOfHead).assumingMemoryBound(to: UInt16.self)
            (heads + i).initialize(
                to: KVHeadRows(keys: keys, values: keys + capacity * c.headDimension, count: 0))
        }
        self.positions = [[Int32]](repeating: [], count: count)
        encoded = [Int](repeating: 0, count: count)
        accumulatedAttention = AlignedBuffer(
            policy.trigger == .never || policy.scorer.needs == .none ? 0 : count * capacity)
    }

    deinit {
        munmap(base, decoder.configuration.layers * decoder.configuration.kvHeads * bytesOfHead)
        heads.deallocate()
    }

    /// Rows that all heads keep, on average.
    public var rowsPerHead: Double {
        Double(positions.reduce(0) { $0 + $1.count }) / Double(positions.count)
    }

    /// The most that ``bytes`` was.
    public private(set) var peakBytes = 0

    /// Bytes of what is kept; of encoded blocks, those of their codes.
    public var bytes: Int {
        let d = decoder.configuration.headDimension
        return positions.indices.reduce(0) { sum, i in
            // The first block stays exact.
            let codes = max(0, encoded[i] - 1)
            return sum + (positions[i].count - codes * KVShape.blockTokens) * 2 * d
                * MemoryLayout<UInt16>.stride
                + codes * codec.bytes(dimension: d)
        }
    }

    /// The rows that a head keeps; valid until the next change.
    public func rows(_ layer: Int, _ head: Int) -> KVRows {
        let i = layer * decoder.configuration.kvHeads + head
        let attention =
            accumulatedAttention.count == 0
            ? []
            : Array(
                UnsafeBufferPointer(start: accumulatedAttention.pointer + i * capacity, count: positions[i].count))
        return KVRows(
            layer: layer, head: head, dimension: decoder.configuration.headDimension,
            budget: budget,
            positions: positions[i], attention: attention,
            mergeCount: (heads[i].compensationRow, heads[i].mergeCount), keys: heads[i].keys, values: heads[i].values)
    }

    /// Computes tokens and keeps what the policy keeps.
    ///
    /// - Parameters:
    ///   - endsPrompt: whether the prompt ends here.
    ///   - logits: `vocabularySize` floats, for the last token.
    public func feed(_ tokens: [Int32], endsPrompt: Bool, logits: UnsafeMutablePointer<Float>) {
        var most = decoder.stepTokens, least = 1
        if case .every(let count) = policy.trigger { most = min(most, count) }
        // What is encoded is read so by the block that follows.
        if codec != .f16, policy.trigger == .never { most = min(most, KVShape.blockTokens) }
        if case .last(let window) = policy.scorer.needs { least = min(window, most) }
        var start = 0
        while start < tokens.count {
            // The last step has all tokens whose attention is asked for.
            let left = tokens.count - start,
                count = left > most && left - most < least ? left - least : min(left, most)
            let isLast = count == left
            step(tokens[start..<start + count], logits, isLast: isLast)
            start += count
            peakBytes = max(peakBytes, bytes)
            fresh += count
            if case .every(let slack) = policy.trigger, fresh >= slack, rowsPerHead > Double(budget) {
                evict()
            }
            if policy.trigger == .never || isBehindPrompt { encode() }
        }
        if endsPrompt {
            if policy.trigger != .never { evict() }
            isBehindPrompt = true
            encode()
        }
    }

    private func step(
        _ tokens: ArraySlice<Int32>, _ logits: UnsafeMutablePointer<Float>, isLast: Bool
    ) {
        let c = decoder.configuration
        precondition(
            positions[0].count + tokens.count <= capacity,
            "The sequence is longer than it was to be.")
        var observation: KVObservation?
        if accumulatedAttention.count > 0, policy.trigger != .promptEnd || !isBehindPrompt {
            switch policy.scorer.needs {
            case .none: break
            case .all:
                observation = KVObservation(
                    accumulatedAttention: accumulatedAttention.pointer, stride: capacity, tokens: tokens.count)
            case .last(let window):
                // A step with the whole window says all; behind the prompt, tokens since the last
                // choice add up.
                if !isBehindPrompt {
                    accumulatedAttention.pointer.update(repeating: 0, count: accumulatedAttention.count)
                }
                observation = KVObservation(
                    accumulatedAttention: accumulatedAttention.pointer, stride: capacity,
                    tokens: min(window, tokens.count))
            }
        }
        let view = KVView(
            keys: heads[0].keys, values: heads[0].values, layerStride: 0, blockStride: 0,
            heads: heads,
            capacity: capacity)
        let segment = DecoderSegment(
            tokens: 0..<tokens.count, position: next, view: view, logits: isLast ? 1 : 0,
            observation: observation)
        tokens.withUnsafeBufferPointer { tokens in
            withUnsafePointer(to: segment) {
                decoder.step(
                    tokens: tokens, segments: UnsafeBufferPointer(start: $0, count: 1),
                    logits: logits)
            }
        }
        for i in 0..<c.layers * c.kvHeads {
            heads[i].count += tokens.count
            positions[i] += (next..<next + tokens.count).map { Int32($0) }
        }
        next += tokens.count
    }

    private func evict() {
        fresh = 0
        let c = decoder.configuration
        let lengths = (0..<c.layers).map { layer in
            (0..<c.kvHeads).map { positions[layer * c.kvHeads + $0].count }
        }
        let budgets = policy.allocator.split(budget, lengths: lengths)
        for layer in 0..<c.layers where c.window(layer: layer) == nil {
            for head in 0..<c.kvHeads where lengths[layer][head] > budgets[layer][head] {
                let i = layer * c.kvHeads + head
                var view = rows(layer, head)
                view.budget = max(1, budgets[layer][head])
                let scores = policy.scorer.scores(view)
                // Of equals, the later stays.
                let order = scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }
                let kept = order.prefix(view.budget).sorted(),
                    lost = order.dropFirst(view.budget).sorted()
                let changes = policy.disposer.dispose(lost: lost, kept: kept, of: view)
                for change in changes { write(change, to: heads[i]) }
                // What stood for many and goes without being made part of another is gone.
                let
                    mergeCount =
                        changes.first { $0.mergeCount > 1 }.map { ($0.row, $0.mergeCount) } ?? (
                            view.compensationRow, view.mergeCount
                        ),
                    place = kept.firstIndex(of: mergeCount.0)
                gather(kept, i)
                (heads[i].compensationRow, heads[i].mergeCount) = place.map { ($0, mergeCount.1) } ?? (0, 1)
            }
        }
        if policy.scorer.needs != .all, accumulatedAttention.count > 0 {
            accumulatedAttention.pointer.update(repeating: 0, count: accumulatedAttention.count)
        }
        if policy.movesTogether { moveTogether() }
    }

    private func write(_ change: KVChange, to rows: KVHeadRows) {
        let d = decoder.configuration.headDimension, block = KVShape.blockTokens
        let key = rows.keys + change.row / block * block * d + change.row % block
        for e in 0..<d {
            key[e * block] = Float16(change.key[e]).bitPattern
            rows.values[change.row * d + e] = Float16(change.value[e]).bitPattern
        }
    }

    /// Moves kept rows to the front.
    private func gather(_ kept: [Int], _ i: Int) {
        let d = decoder.configuration.headDimension, block = KVShape.blockTokens, rows = heads[i]
        let first = kept.enumerated().first { $0 != $1 }?.offset ?? kept.count
        for to in first..<kept.count {
            let from = kept[to]
            (rows.values + to * d).update(from: rows.values + from * d, count: d)
            let source = rows.keys + from / block * block * d + from % block,
                target = rows.keys + to / block * block * d + to % block
            for e in 0..<d { target[e * block] = source[e * block] }
        }
        if accumulatedAttention.count > 0 {
            let weights = accumulatedAttention.pointer + i * capacity
            for to in first..<kept.count { weights[to] = weights[kept[to]] }
            for row in kept.count..<positions[i].count { weights[row] = 0 }
        }
        positions[i] = kept.map { positions[i][$0] }
        heads[i].count = kept.count
        encoded[i] = min(encoded[i], first / block)
        // Pages behind the rows go back to the system.
        let page = Int(getpagesize())
        for start in [UnsafeMutableRawPointer(rows.keys), UnsafeMutableRawPointer(rows.values)] {
            let used =
                (UInt(bitPattern: start) + UInt(KVShape.blocks(kept.count) * block * d * 2)
                    + UInt(page) - 1)
                / UInt(page) * UInt(page)
            let end = (UInt(bitPattern: start) + UInt(bytesOfHead / 2)) / UInt(page) * UInt(page)
            if end > used {
                madvise(UnsafeMutableRawPointer(bitPattern: used), Int(end - used), MADV_DONTNEED)
            }
        }
    }

    /// Gives all rows neighbouring positions that end with the last row's.
    private func moveTogether() {
        let most = positions.map(\.count).max() ?? 0
        for i in positions.indices {
            let count = positions[i].count
            var row = 0
            while row < count {
                let distance = most - count + row - Int(positions[i][row])
                var end = row + 1
                while end < count, most - count + end - Int(positions[i][end]) == distance {
                    end += 1
                }
                if distance != 0 { rebase.rotate(heads[i].keys, rows: row..<end, by: distance) }
                row = end
            }
            positions[i] = (0..<count).map { Int32(most - count + $0) }
        }
        next = most
    }

    private func encode() {
        guard codec != .f16 else { return }
        let d = decoder.configuration.headDimension, block = KVShape.blockTokens,
            elements = block * d
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: codec.bytes(dimension: d)) {
            codes in
            for i in positions.indices {
                while (encoded[i] + 1) * block + exact <= positions[i].count {
                    if encoded[i] > 0 {
                        let start = encoded[i] * elements
                        for (side, place) in [
                            (KVCodec.Side.keys, heads[i].keys + start),
                            (.values, heads[i].values + start),
                        ] {
                            codec.encode(side, place, dimension: d, into: codes.baseAddress!)
                            codec.decode(side, codes.baseAddress!, dimension: d, into: place)
                        }
                    }
                    encoded[i] += 1
                }
            }
        }
    }
}
