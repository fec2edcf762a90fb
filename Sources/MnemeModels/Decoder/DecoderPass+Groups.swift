import MnemeNumerics

/// Attention of sequences whose heads are brought into memory group by group. The work on each head
/// is what it is where all are there, so that the results are the same bits.
extension DecoderPass {
    /// Stores the new rows of such sequences and attends, one group of heads behind the other.
    ///
    /// - Parameter lastRows: as in ``attend(_:into:)``.
    func attendGroups(_ layer: Int, into lastRows: [Int]? = nil) {
        let kvHeads = configuration.kvHeads
        for i in segments.indices {
            guard let groups = segments[i].view.groups else { continue }
            let tokens = segments[i].tokens
            let attends = lastRows.map { $0[i] < $0[i + 1] } ?? true
            for first in stride(from: 0, to: kvHeads, by: groups.size) {
                let heads = first..<min(kvHeads, first + groups.size)
                if thread == 0 { groups.bring(first / groups.size, of: layer) }
                pool.barrier()
                for token in share(of: tokens.count) {
                    store(tokens.lowerBound + token, heads: heads, layer: layer)
                }
                pool.barrier()
                if attends { attend(i, heads, of: lastRows, in: layer) }
                pool.barrier()
                if thread == 0 { groups.release(first / groups.size, of: layer) }
            }
        }
    }

    /// Attention of some heads of a segment; each thread takes its share.
    private func attend(_ i: Int, _ heads: Range<Int>, of lastRows: [Int]?, in layer: Int) {
        let scratch = workspace.scratch[thread].pointer
        var total = 0
        for head in heads {
            var a = attention(i, head, of: lastRows, in: layer)
            total += kernels.units(&a)
        }
        let mine = share(of: total)
        var start = 0
        for head in heads {
            var a = attention(i, head, of: lastRows, in: layer)
            let count = kernels.units(&a)
            let here = mine.clamped(to: start..<start + count)
            if !here.isEmpty {
                kernels.attend(
                    &a, units: here.lowerBound - start..<here.upperBound - start, scratch: scratch)
            }
            start += count
        }
        guard workspace.plan.pointee.offsets[i] >= 0 else { return }
        pool.barrier()
        for head in share(of: heads.count) {
            var a = attention(i, heads.lowerBound + head, of: lastRows, in: layer)
            kernels.merge(&a, heads: 0..<1)
        }
    }

    /// Stores a token's keys and values of some heads, which keep rows of their own.
    func store(_ token: Int, heads: Range<Int>, layer: Int) {
        let segment = segments[segment(of: token)]
        guard let all = segment.view.heads else { return }
        let offset = token - segment.tokens.lowerBound
        let start = token * workspace.kvStride
        let dimension = configuration.headDimension
        let block = KVView.blockTokens
        for head in heads {
            let rows = all[layer * configuration.kvHeads + head]
            let row = rows.count + offset
            let from = start + head * dimension
            let page = segment.view.keys + Int(rows.pages[row / block]) * KVHeadRows.pageUnit
            kernels.storeKeys(
                workspace.keys.pointer + from, count: dimension, into: page + row % block)
            kernels.toHalf(
                workspace.values.pointer + from, count: dimension,
                into: page + (block + row % block) * dimension)
        }
    }
}
