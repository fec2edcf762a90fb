import MnemeNumerics

/// Attention over the segments' KV caches: first the KV splits that several sequences share, then
/// what each reads alone, then the sums of both.
extension DecoderPass {
    /// Attention of all segments; each thread takes its share of all units.
    ///
    /// - Parameter lastRows: as in the plan, where only these tokens are to attend.
    func attend(_ layer: Int, into lastRows: [Int]? = nil) {
        let c = configuration
        let w = workspace
        let plan = w.plan
        let window = c.window(layer: layer)
        let scratch = w.scratch[thread].pointer
        choosePages(layer)
        // Heads that keep rows of their own are attended to one by one.
        func pieces(_ i: Int) -> Int {
            if let lastRows, lastRows[i] == lastRows[i + 1] { return 0 }
            // Heads that come group by group follow, see attendGroups.
            if segments[i].view.groups != nil { return 0 }
            return segments[i].view.heads == nil ? 1 : c.kvHeads
        }
        func attention(_ i: Int, _ head: Int = 0, of lastRows: [Int]?) -> DecoderKernels.Attention {
            self.attention(i, head, of: lastRows, in: layer)
        }
        let sharedUnits = window == nil ? plan.pointee.shared.count * c.kvHeads : 0
        var total = sharedUnits
        var start = sharedUnits
        var isShared = false
        for i in segments.indices {
            for head in 0..<pieces(i) {
                var a = attention(i, head, of: lastRows)
                total += kernels.units(&a)
            }
            isShared = isShared || (plan.pointee.offsets[i] >= 0 && segments[i].view.groups == nil)
        }
        let mine = share(of: total)
        for unit in mine.clamped(to: 0..<sharedUnits) {
            let part = plan.pointee.shared[unit / c.kvHeads]
            let head = unit % c.kvHeads
            withUnsafeTemporaryAllocation(
                of: DecoderKernels.Attention.self, capacity: part.members.count
            ) { members in
                for (j, member) in part.members.enumerated() {
                    members.initializeElement(
                        at: j, to: attention(plan.pointee.members[member], of: lastRows))
                }
                kernels.attend(
                    shared: members, span: part.span, heads: head..<head + 1, scratch: scratch)
            }
        }
        for i in segments.indices {
            for head in 0..<pieces(i) {
                var a = attention(i, head, of: lastRows)
                let count = kernels.units(&a)
                let here = mine.clamped(to: start..<start + count)
                if !here.isEmpty {
                    kernels.attend(
                        &a, units: here.lowerBound - start..<here.upperBound - start,
                        scratch: scratch)
                }
                start += count
            }
            guard let observation = segments[i].observation, layer >= observation.firstLayer,
                segments[i].view.groups == nil
            else { continue }
            for head in 0..<c.kvHeads where head % threads == thread {
                noteQueries(of: segments[i], head, layer, observation)
                var a = attention(i, head, of: nil)
                let place = ((layer - observation.firstLayer) * c.kvHeads + head) * observation.stride
                func add(_ tokens: Int, _ sums: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>?) {
                    guard tokens > 0 else { return }
                    kernels.addMass(
                        &a, head: segments[i].view.heads == nil ? head : 0,
                        lastTokens: min(tokens, segments[i].tokens.count), into: sums + place,
                        squares: squares.map { $0 + place })
                }
                add(observation.tokens, observation.accumulatedAttention, observation.squares)
                if let recent = observation.recentAttention { add(observation.recentTokens, recent, nil) }
            }
        }
        guard isShared else { return }
        pool.barrier()
        let heads = share(of: segments.count * c.kvHeads)
        for i in segments.indices where plan.pointee.offsets[i] >= 0 && pieces(i) > 0 {
            let here = heads.clamped(to: i * c.kvHeads..<(i + 1) * c.kvHeads)
            guard !here.isEmpty else { continue }
            if segments[i].view.heads != nil {
                for head in here {
                    var a = attention(i, head - i * c.kvHeads, of: lastRows)
                    kernels.merge(&a, heads: 0..<1)
                }
                continue
            }
            var a = attention(i, of: lastRows)
            kernels.merge(
                &a, heads: here.lowerBound - i * c.kvHeads..<here.upperBound - i * c.kvHeads)
        }
    }

    /// The attention of a segment, or of one of its key-value heads where these keep rows of their own.
    ///
    /// - Parameter lastRows: as in ``attend(_:into:)``.
    func attention(_ i: Int, _ head: Int, of lastRows: [Int]?, in layer: Int) -> DecoderKernels.Attention {
        let c = configuration
        let w = workspace
        let plan = w.plan
        let window = c.window(layer: layer)
        let segment = segments[i]
        let view = segment.view
        let count = lastRows.map { $0[i + 1] - $0[i] } ?? segment.tokens.count
        let skipped = segment.tokens.count - count
        let first = segment.tokens.lowerBound + skipped
        let row = lastRows?[i] ?? first
        if let all = view.heads?[layer * c.kvHeads + head] {
            let rows = chooser(of: segment, layer)?.chosen[layer * c.kvHeads + head] ?? all
            let group = c.heads / c.kvHeads
            let offset = head * group * c.headDimension
            var a = DecoderKernels.Attention(
                queries: w.queries.pointer + first * w.queryStride + offset,
                stride: w.queryStride, keys: view.keys,
                values: view.keys + KVView.blockTokens * c.headDimension,
                blockStride: KVHeadRows.pageUnit, table: rows.pages, tokens: count,
                position: rows.count + skipped, heads: group, kvHeads: 1,
                dimension: c.headDimension, window: window ?? 0,
                scale: c.attentionScale ?? 1 / Float(c.headDimension).squareRoot(),
                cap: c.attentionCap ?? 0,
                into: w.attended.floats + row * w.queryStride + offset,
                outputStride: w.queryStride,
                rowLogs: rows.mergeLogs, codeBits: rows.codeBits)
            if plan.pointee.offsets[i] >= 0 {
                kernels.share(
                    &a,
                    partials: w.partials.pointer + plan.pointee.offsets[i]
                        + head * plan.pointee.headPartials[i], firstSpan: 0)
            }
            return a
        }
        var a = DecoderKernels.Attention(
            queries: w.queries.pointer + first * w.queryStride, stride: w.queryStride,
            keys: view.keys + layer * view.layerStride,
            values: view.values + layer * view.layerStride, blockStride: view.blockStride,
            table: view.table,
            tokens: count,
            position: segment.position + skipped, heads: c.heads, kvHeads: c.kvHeads,
            dimension: c.headDimension,
            window: window ?? 0,
            scale: c.attentionScale ?? 1 / Float(c.headDimension).squareRoot(),
            cap: c.attentionCap ?? 0,
            into: w.attended.floats + row * w.queryStride, outputStride: w.queryStride,
            places: segment.positions.map { $0 + skipped })
        // A window sees too little of what is shared.
        if plan.pointee.offsets[i] >= 0 {
            kernels.share(
                &a, partials: w.partials.pointer + plan.pointee.offsets[i],
                firstSpan: window == nil ? plan.pointee.firstSpans[i] : 0)
        }
        return a
    }

    /// Copies the queries of a segment's last tokens for who wants them; those of one key-value head.
    private func noteQueries(
        of segment: DecoderSegment, _ head: Int, _ layer: Int, _ observation: KVObservation
    ) {
        guard let target = observation.queries else { return }
        let d = configuration.headDimension
        let group = configuration.heads / configuration.kvHeads
        let room = KVObservation.queryTokens
        let first = (layer - observation.firstLayer) * configuration.heads + head * group
        let count = segment.tokens.count
        for index in max(0, count - room)..<count {
            let row = workspace.queries.pointer + (segment.tokens.lowerBound + index) * workspace.queryStride
            let place = segment.position(of: index) % room
            for member in 0..<group {
                (target + ((first + member) * room + place) * d)
                    .update(from: row + (head * group + member) * d, count: d)
            }
        }
    }

    /// The chooser of a segment's pages: for single tokens of layers that look at all rows.
    private func chooser(of segment: DecoderSegment, _ layer: Int) -> KVPageChooser? {
        segment.tokens.count == 1 && configuration.window(layer: layer) == nil
            ? segment.view.chooser : nil
    }

    /// Has pages chosen for all tokens that do not read all; each thread for its share of heads.
    private func choosePages(_ layer: Int) {
        let c = configuration
        let group = c.heads / c.kvHeads
        var isChosen = false
        for (i, segment) in segments.enumerated() {
            guard let chooser = chooser(of: segment, layer) else { continue }
            isChosen = true
            let queries =
                workspace.queries.pointer + segment.tokens.lowerBound * workspace.queryStride
            for head in 0..<c.kvHeads where (i * c.kvHeads + head) % threads == thread {
                chooser.choose(
                    layer, head, queries: queries + head * group * c.headDimension,
                    scale: c.attentionScale ?? 1 / Float(c.headDimension).squareRoot())
            }
        }
        if isChosen { pool.barrier() }
    }
}
