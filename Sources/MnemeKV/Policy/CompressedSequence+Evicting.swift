import Foundation
package import MnemeModels
import MnemeNumerics

/// The choice of rows: among those that are there, or of a sequence that was computed whole.
extension CompressedSequence {
    /// Evicts the rows that the policy gives up.
    package func evict() {
        fresh = 0
        let lengths = self.lengths { positions[$0].count }
        let budgets = split(lengths) { rows($0, positions[$0], budget: budget) }
        joint = jointScores { rows($0, positions[$0], budget: budget) }
        defer { joint = nil }
        for i in positions.indices where budgets[i] < positions[i].count {
            if policy.codesRest {
                load(i)
                store(i, codeRest(i, positions[i], budget: budgets[i]), from: 0)
            } else if policy.scorer.wholePages || codec.isPaged && codedPages(i) > 0 {
                evictPages(i, budget: budgets[i])
            } else {
                load(i)
                keep(i, positions[i], budget: budgets[i])
            }
        }
        for i in positions.indices { mergeLayers(i) }
        didEvict()
    }

    /// Takes the rows that the policy keeps of a sequence that was computed whole, for one head
    /// after the other; this one has none before, and room for ``pagesKept(of:)``.
    ///
    /// - Parameters:
    ///   - chosen: heads of all layers, counted one behind the other.
    ///   - view: the other's memory.
    ///   - count: its rows, of positions from 0 on.
    /// - Returns: false if there is no memory.
    package func take(_ chosen: Range<Int>, from view: KVView, rows count: Int) -> Bool {
        // What is measured of heads, or scored together, is known with the first of them.
        func all(_ i: Int) -> KVRows {
            rows(i, (0..<Int32(count)).map { $0 }, budget: budget) { [self] in
                fetch(i, from: view, rows: 0..<count)
            }
        }
        if measured == nil { joint = jointScores(all) }
        let budgets = measured ?? split(lengths { _ in count }, all)
        measured = budgets
        loaded = nil
        for i in chosen {
            let first = firstSeen(i, of: count)
            fetch(i, from: view, rows: first..<count)
            let rows = arrange(i, (Int32(first)..<Int32(count)).map { $0 })
            let budget = min(count - first, budgets[i])
            guard
                policy.codesRest
                    ? store(i, codeRest(i, rows, budget: budget), from: 0) : keep(i, rows, budget: budget)
            else { return false }
            selection?.build(
                i, base: pages.base, tokens: tokens,
                queries: queries.count > 0 ? queries(i, upTo: count - 1).flatMap(\.self) : [])
            mergeLayers(i)
            // What an upper layer is merged with later stays exact until then.
            if policy.layers?.upper(of: i / configuration.kvHeads, layers: configuration.layers) == nil { encode(i) }
        }
        if chosen.upperBound == positions.count {
            (measured, joint) = (nil, nil)
            next = count
            isBehindPrompt = true
            didEvict()
        }
        return true
    }

    /// True if taking a head's rows takes long: they are put into an order or an index of their own.
    package var takesLong: Bool { policy.selector.map { $0.arranges || $0 is any KVIndexSelector } ?? false }

    /// Puts the rows in `scratch` into the order that a selector wants: of whole pages, but the first
    /// and the last, which are always read.
    private func arrange(_ i: Int, _ positions: [Int32]) -> [Int32] {
        let block = KVShape.blockTokens
        let end = (positions.count / block - 1) * block
        guard let selector = policy.selector, selector.arranges, end > 2 * block,
            configuration.window(layer: i / configuration.kvHeads) == nil
        else { return positions }
        let view = rows(i, positions, budget: budget, fill: {})
        let order = selector.order((block..<end).map(view.key)).map { $0 + block }
        precondition(order.count == end - block, "An order has each row once.")
        scratch.arrange(order, at: block)
        return positions[..<block] + order.map { positions[$0] } + positions[end...]
    }

    /// Copies a head's rows, from a page's first on, of a sequence that was computed whole, to
    /// `scratch`.
    private func fetch(_ i: Int, from view: KVView, rows: Range<Int>) {
        guard loaded != i else { return }
        let c = configuration
        let block = KVShape.blockTokens
        let part = block * c.headDimension
        let layer = i / c.kvHeads * view.layerStride
        let head = i % c.kvHeads * part
        for b in rows.lowerBound / block..<KVShape.blocks(rows.upperBound) {
            let to = (b - rows.lowerBound / block) * part
            (scratch.keys + to).update(
                from: view.keys + layer + view.keyOffset(b * block) + head, count: part)
            (scratch.values + to).update(
                from: view.values + layer
                    + view.valueOffset(b * block, dimension: c.headDimension) + head,
                count: part)
        }
        loaded = i
    }

    /// The first of a head's rows, by pages, that later tokens see.
    private func firstSeen(_ i: Int, of count: Int) -> Int {
        Self.firstSeen(configuration, i / configuration.kvHeads, of: count)
    }

    private static func firstSeen(_ c: DecoderConfiguration, _ layer: Int, of count: Int) -> Int {
        guard let window = c.window(layer: layer) else { return 0 }
        return max(0, count - window) / KVShape.blockTokens * KVShape.blockTokens
    }

    /// Pages that a sequence of so many rows takes while it is compressed, and a further page of
    /// each head.
    package func pagesKept(of count: Int) -> (halves: Int, codes: Int) {
        Self.pagesKept(
            of: count, configuration, policy, budget: budget, codec: codec, residual: residual)
    }

    static func pagesKept(
        of count: Int, _ c: DecoderConfiguration, _ policy: KVPolicy, budget: Int, codec: KVCodec,
        residual: Int
    ) -> (halves: Int, codes: Int) {
        let block = KVShape.blockTokens
        let lengths = Self.lengths(c) { _ in count }
        // What an allocator will measure is not known yet: uneven parts round up to a page each, have
        // as many more full ones, and one of them may be whole.
        let isMeasured = policy.trigger != .never && policy.allocator is any HeadAllocator
        var halves = 0
        var codes = 0
        var most = isMeasured && codec.isPaged ? KVShape.blocks(count) : 0
        for (i, budget) in split(c, policy, budget, lengths).enumerated() {
            let all = count - firstSeen(c, i / c.kvHeads, of: count)
            let rows = policy.codesRest ? all : min(all, budget)
            let open = policy.codesRest ? min(all, budget + block) : residual
            let coded = codec.isPaged ? max(0, (rows - open) / block - 1) : 0
            // A lower layer's rows wait for the upper one's.
            if policy.layers != nil { halves += coded }
            halves += KVShape.blocks(rows) - coded + (isMeasured ? 2 : 1)
            halves += KVSelection.meanPages(policy.selector, of: rows)
            codes += coded + (isMeasured && codec.isPaged ? 2 : 0)
            most = max(most, coded)
        }
        // A head's rows are there as halves before they are encoded.
        return (halves + most, codes)
    }

    private func lengths(_ count: (Int) -> Int) -> [[Int]] { Self.lengths(configuration, count) }

    private static func lengths(_ c: DecoderConfiguration, _ count: (Int) -> Int) -> [[Int]] {
        (0..<c.layers).map { layer in (0..<c.kvHeads).map { count(layer * c.kvHeads + $0) } }
    }

    /// - Parameter rows: of a head, as an allocator measures them.
    private func split(_ lengths: [[Int]], _ rows: (Int) -> KVRows) -> [Int] {
        let c = configuration
        guard policy.trigger != .never, let allocator = policy.allocator as? any HeadAllocator
        else { return Self.split(c, policy, budget, lengths) }
        let heads = lengths.enumerated().map { layer, lengths in
            c.window(layer: layer) != nil
                ? []
                : lengths.enumerated().map { head, length in
                    HeadMeasure(
                        length: length, values: allocator.measure(rows(layer * c.kvHeads + head)))
                }
        }
        var budgets = allocator.split(budget, heads: heads)
        let most = budget * heads.reduce(0) { $0 + $1.count }
        let all = zip(budgets, heads).reduce(0) { sum, layer in
            sum + zip(layer.0, layer.1).reduce(0) { $0 + min($1.0, $1.1.length) }
        }
        if all > most, allocator.isBounded {
            budgets = zip(budgets, heads).map { budgets, heads in
                zip(budgets, heads).map { max(1, min($0, $1.length) * most / all) }
            }
        }
        return Self.rows(c, lengths, budgets)
    }

    private static func split(
        _ c: DecoderConfiguration, _ policy: KVPolicy, _ budget: Int, _ lengths: [[Int]]
    ) -> [Int] {
        rows(
            c, lengths,
            policy.trigger == .never ? lengths : policy.allocator.split(budget, lengths: lengths))
    }

    /// The most rows of each head; layers with windows keep what they see.
    private static func rows(
        _ c: DecoderConfiguration, _ lengths: [[Int]], _ budgets: [[Int]]
    ) -> [Int] {
        return (0..<c.layers * c.kvHeads).map { i in
            let layer = i / c.kvHeads
            let head = i % c.kvHeads
            let length = lengths[layer][head]
            return c.window(layer: layer) == nil
                ? max(1, min(length, budgets[layer][head])) : length
        }
    }

    private func didEvict() {
        guard attention.count > 0 else { return }
        clearAttention()
        let decay = policy.scorer.decay
        guard policy.attention.countsAll, decay != 1 else { return }
        for place in 0..<attention.count { attention.pointer[place] *= decay }
    }

    /// Keeps the best of a head's rows, which lie in `scratch`, and writes those that changed.
    ///
    /// - Returns: false if there is no memory.
    @discardableResult
    private func keep(_ i: Int, _ before: [Int32], budget: Int) -> Bool {
        var kept = Array(before.indices)
        var changed = positions[i].isEmpty ? 0 : before.count
        if budget < before.count {
            let view = rows(i, before, budget: budget)
            let scores = joint?[i] ?? policy.scorer.scores(view)
            notePivots(i, before, scores)
            // Of equals, the later stays.
            let order = scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }
            kept = order.prefix(budget).sorted()
            let lost = order.dropFirst(budget).sorted()
            let changes = policy.disposer.dispose(lost: lost, kept: kept, of: view)
            for change in changes { scratch.write(change) }
            let saved = (1 - policy.disposer.keyShare) * Double(2 * configuration.headDimension)
            if saved > 0 { savedBytes[i] = Int(saved * Double(changes.count)) }
            // What stood for many and goes without being made part of another is gone.
            setMergeCounts(i, kept, of: view, changes)
            let firsts =
                [kept.enumerated().first { $0 != $1 }?.offset]
                + changes.map { kept.firstIndex(of: $0.row) }
            changed = min(changed, firsts.compactMap { $0 }.min() ?? kept.count)
            movedRows += kept.enumerated().count { $0 != $1 }
            scratch.gather(kept)
            gatherAttention(i, kept, of: before.count)
        }
        if keepsOrigins {
            let all = origins[i].count == before.count ? origins[i] : before
            origins[i] = kept.map { all[$0] }
        }
        var after = kept.map { before[$0] }
        if policy.movesTogether { changed = min(changed, moveTogether(i, kept, &after)) }
        return store(i, after, from: changed)
    }

    /// Puts the rows over a head's budget into pages of their own, behind its first one, and has only these
    /// encoded.
    ///
    /// - Returns: the positions in this order.
    private func codeRest(_ i: Int, _ positions: [Int32], budget: Int) -> [Int32] {
        let block = KVShape.blockTokens
        let end = positions.count / block * block
        exactFrom[i] = 0
        guard budget < positions.count, end > 2 * block else { return positions }
        let view = rows(i, positions, budget: budget)
        let scores = joint?[i] ?? policy.scorer.scores(view)
        let order = (block..<end).sorted { (scores[$0], $0) < (scores[$1], $1) }
        let coded = min(order.count, positions.count - budget) / block * block
        let arranged = order.prefix(coded).sorted() + order.dropFirst(coded).sorted()
        scratch.arrange(arranged, at: block)
        exactFrom[i] = 1 + coded / block
        return positions[..<block] + arranged.map { positions[$0] } + positions[end...]
    }

    /// Notes what kept rows stand for.
    private func setMergeCounts(_ i: Int, _ kept: [Int], of before: KVRows, _ changes: [KVChange]) {
        let changed = Dictionary(changes.map { ($0.row, $0.mergeCount) }) { $1 }
        let counts = kept.map { changed[$0] ?? before.weight($0) }
        guard let last = counts.lastIndex(where: { $0 != 1 }) else {
            (mergeCounts[i], heads[i].mergeLogs) = ([], nil)
            return
        }
        mergeCounts[i] = Array(counts[...last])
        // Attention reads chunks of 64 rows.
        let logs = mergeLogs[i] ?? AlignedBuffer(capacity + 2 * KVShape.blockTokens)
        for row in 0..<logs.count { logs.pointer[row] = row <= last ? log(counts[row]) : 0 }
        mergeLogs[i] = logs
        heads[i].mergeLogs = UnsafePointer(logs.pointer)
    }

    private func gatherAttention(_ i: Int, _ kept: [Int], of count: Int) {
        for buffer in [attention, squares, recent] where buffer.count > 0 {
            let weights = buffer.pointer + i * capacity
            for (to, from) in kept.enumerated() { weights[to] = weights[from] }
            for row in kept.count..<count { weights[row] = 0 }
        }
    }

    /// Gives rows in `scratch` neighbouring positions that end with the last row's: attention looks
    /// at distances alone, so that those before a gap move up to it, and what follows stays.
    ///
    /// - Returns: the first row that moved.
    private func moveTogether(_ i: Int, _ kept: [Int], _ positions: inout [Int32]) -> Int {
        guard let last = positions.last else { return 0 }
        var leading: [Anchor] = []
        var first = positions.count
        for row in positions.indices {
            let to = last - Int32(positions.count - 1 - row)
            let known = anchors[i].indices.contains(kept[row]) ? anchors[i][kept[row]] : nil
            if to != positions[row] {
                let anchor = known ?? Anchor(key: scratch.key(row), position: positions[row])
                scratch.setKey(row, anchor.key)
                rebase.rotate(scratch.keys, rows: row..<row + 1, by: Int(to - anchor.position))
                positions[row] = to
                first = min(first, row)
                if leading.count == row, row < 2 * KVShape.blockTokens { leading.append(anchor) }
            } else if let known, leading.count == row {
                leading.append(known)
            }
        }
        anchors[i] = leading
        return first
    }

    /// Evicts whole pages of a head with codes: those whose best row is worth least. What is not
    /// full yet stays.
    private func evictPages(_ i: Int, budget: Int) {
        let block = KVShape.blockTokens
        let full = positions[i].count / block
        let scores = policy.scorer.scores(rows(i, positions[i], budget: budget))
        let worth = (0..<full).map { page in
            scores[page * block..<(page + 1) * block].reduce(-.infinity, max)
        }
        let lost = (0..<full).sorted { (worth[$0], $0) < (worth[$1], $1) }
            .prefix((positions[i].count - budget + block - 1) / block)
            .filter { worth[$0] < .infinity }
        guard !lost.isEmpty else { return }
        let kept = positions[i].indices.filter { !lost.contains($0 / block) }
        gatherAttention(i, kept, of: positions[i].count)
        for page in lost.sorted().reversed() { dropPages(i, page..<page + 1) }
        guard policy.movesTogether else { return }
        // Those before the gap are the exact rows of the first page.
        load(i, pages: 1)
        var after = positions[i]
        let leading = moveTogether(i, kept, &after)
        if leading < block { store(i, after, from: 0, pages: 1) }
    }
}
