import MnemeBase
package import MnemeModels
import MnemeNumerics

/// The keys and values of one sequence, of which a policy keeps a part: each head of each layer has
/// rows of its own (ragged heads), in pages of halves or of codes.
///
/// It owns positions and rows, not the memory that they are in (``KVPages``), and computes nothing:
/// whoever does makes room (``prepare(_:)``), hands ``view`` to the model, and says what was
/// computed (``advance(_:)``). Rows may also come from a sequence that was computed whole
/// (``take(_:from:rows:)``). Used by one thread at a time.
package final class CompressedSequence: @unchecked Sendable {
    /// The policy.
    package let policy: KVPolicy
    /// Rows that a head may keep on average.
    package var budget: Int
    /// The format of full pages; a head's first page stays exact.
    package let codec: KVCodec
    /// The position of the next token.
    package private(set) var next = 0
    /// Tokens since rows were evicted.
    package private(set) var fresh = 0
    /// The memory of its pages.
    package let pages: KVPages
    let configuration: DecoderConfiguration
    /// The last rows that stay exact (KIVI's residual).
    private let residual: Int
    private let capacity: Int
    private let kernels = DecoderKernels()
    private let rebase: KVRebase
    private let heads: UnsafeMutablePointer<KVHeadRows>
    private let tables: UnsafeMutablePointer<Int32>
    private var tableLength: Int { KVShape.blocks(capacity) }
    private(set) var positions: [[Int32]]
    /// Leading pages of each head that are full and will not be encoded any more.
    private var sealed: [Int]
    /// Pages of each head that it has memory for: those of its rows, and of what was prepared.
    private var given: [Int]
    /// The head whose rows lie in `scratch`; nil if they are not as they were.
    private var loaded: Int?
    /// Keys of leading rows before they were moved, so that moves do not add up their roundings.
    private var anchors: [[Anchor]]
    /// The weights that the scorer asks for; `capacity` for each head.
    private let attention: AlignedBuffer<Float>
    private let scratch: HeadScratch

    /// A row's key where it was computed.
    private struct Anchor {
        var key: [UInt16]
        var position: Int32
    }

    /// - Parameters:
    ///   - budget: rows that a head may keep on average.
    ///   - rows: the most that a head may have at any time.
    ///   - residual: the last rows that stay exact.
    /// - Throws: ``KVError`` if the parts do not go together.
    package init(
        _ configuration: DecoderConfiguration, _ policy: KVPolicy, budget: Int, rows: Int,
        codec: KVCodec, residual: Int = 0, pages: KVPages
    ) throws {
        let c = configuration
        try Self.check(c, policy, codec)
        self.configuration = c
        self.policy = policy
        self.budget = max(1, budget)
        self.codec = codec
        self.residual = residual
        self.pages = pages
        rebase = KVRebase(c)
        capacity = KVShape.blocks(rows) * KVShape.blockTokens
        let count = c.layers * c.kvHeads, length = KVShape.blocks(capacity)
        tables = .allocate(capacity: count * length)
        tables.initialize(repeating: 0, count: count * length)
        heads = .allocate(capacity: count)
        for i in 0..<count {
            (heads + i).initialize(
                to: KVHeadRows(pages: tables + i * length, codeBits: codec.isPaged ? codec.bits : 0))
        }
        positions = [[Int32]](repeating: [], count: count)
        sealed = [Int](repeating: 0, count: count)
        given = sealed
        anchors = [[Anchor]](repeating: [], count: count)
        attention = AlignedBuffer(
            policy.trigger == .never || policy.scorer.needs == .none ? 0 : count * capacity)
        scratch = HeadScratch(rows: capacity, dimension: c.headDimension)
    }

    deinit {
        tables.deallocate()
        heads.deallocate()
    }

    /// Refuses what does not go together.
    ///
    /// - Throws: ``KVError``.
    package static func check(
        _ c: DecoderConfiguration, _ policy: KVPolicy, _ codec: KVCodec
    ) throws {
        if policy.movesTogether, (0..<c.layers).contains(where: { c.window(layer: $0) != nil }) {
            throw KVError(
                .unsupported,
                "\(policy.name) moves rows together, which a model with sliding windows does not allow. Use another policy."
            )
        }
        if codec == .int4, !c.headDimension.isMultiple(of: 32) {
            throw KVError(
                .unsupported,
                "int4 needs heads of a multiple of 32 elements; this model's have \(c.headDimension). Use int8."
            )
        }
        if case .every = policy.trigger, codec != .f16, !(policy.disposer is Drop) || !codec.isPaged {
            throw KVError(
                .unsupported,
                "\(policy.name) changes rows all the time; as \(codec.rawValue) they would be encoded again and again. Use f16."
            )
        }
    }

    // MARK: What there is

    /// The view for the model, valid until the next change.
    package var view: KVView {
        KVView(
            keys: pages.base, values: pages.base, layerStride: 0, blockStride: 0, heads: heads,
            capacity: capacity)
    }
    /// Rows that all heads keep, on average.
    package var rowsPerHead: Double {
        Double(positions.reduce(0) { $0 + $1.count }) / Double(positions.count)
    }
    /// Rows of the heads that the policy chooses among, on average: of layers without windows.
    private var chosenRows: Double {
        var rows = 0, heads = 0
        for i in positions.indices
        where configuration.window(layer: i / configuration.kvHeads) == nil {
            rows += positions[i].count
            heads += 1
        }
        return Double(rows) / Double(max(1, heads))
    }
    /// Bytes of the rows that are kept; of encoded pages, those of their codes.
    package var bytes: Int {
        let d = configuration.headDimension, row = 4 * d
        return positions.indices.reduce(0) { sum, i in
            let codes = codedPages(i)
            return sum + (positions[i].count - codes * KVShape.blockTokens) * row
                + codes * codec.pageBytes(dimension: d)
        }
    }
    /// Bytes of all pages in use.
    package var keptBytes: Int { pages.usedBytes }
    /// Pages of a head that are counted as codes.
    private func codedPages(_ i: Int) -> Int {
        codec.isPaged ? (0..<sealed[i]).count { heads[i].pages[$0] < 0 } : max(0, sealed[i] - 1)
    }
    /// The attention that a step is to add up for the policy; nil if none.
    ///
    /// - Parameter last: of the step's tokens, the last that count.
    package func observation(last: Int) -> KVObservation? {
        guard attention.count > 0, last > 0 else { return nil }
        return KVObservation(
            accumulatedAttention: attention.pointer, stride: capacity, tokens: last)
    }
    /// Forgets the attention that was added up.
    package func clearAttention() {
        attention.pointer.update(repeating: 0, count: attention.count)
    }

    /// The rows of a head as a policy sees them; valid until the next call.
    package func rows(_ layer: Int, _ head: Int) -> KVRows {
        let i = layer * configuration.kvHeads + head
        return rows(i, positions[i], budget: budget)
    }

    private func rows(_ i: Int, _ positions: [Int32], budget: Int) -> KVRows {
        KVRows(
            layer: i / configuration.kvHeads, head: i % configuration.kvHeads,
            dimension: configuration.headDimension, budget: budget, positions: positions,
            attention: attention.count == 0
                ? []
                : Array(
                    UnsafeBufferPointer(
                        start: attention.pointer + i * capacity, count: positions.count)),
            mergeCount: (heads[i].compensationRow, heads[i].mergeCount), keys: scratch.keys,
            values: scratch.values, fill: { [self] in if loaded != i { load(i) } })
    }

    // MARK: Growing

    /// Pages that so many further tokens need beyond those that are there.
    package func newPages(_ tokens: Int) -> (halves: Int, codes: Int) {
        var halves = 0, codes = 0
        for i in positions.indices {
            let rows = positions[i].count
            halves += max(0, KVShape.blocks(rows + tokens) - given[i])
            codes += (rows + tokens) / KVShape.blockTokens - sealed[i]
        }
        return (halves, codec.isPaged ? codes : 0)
    }

    /// Makes room for so many further tokens.
    ///
    /// - Returns: false if there is no memory.
    package func prepare(_ tokens: Int) -> Bool {
        precondition(
            (positions.map(\.count).max() ?? 0) + tokens <= capacity,
            "The sequence is longer than it was to be.")
        guard pages.reserve(newPages(tokens).halves, .halves) else { return false }
        for i in positions.indices {
            guard give(i, pages: KVShape.blocks(positions[i].count + tokens)) else { return false }
        }
        return true
    }

    /// Gives a head exact pages up to their number.
    private func give(_ i: Int, pages count: Int) -> Bool {
        while given[i] < count {
            guard let page = pages.allocate(.halves) else { return false }
            heads[i].pages[given[i]] = page
            given[i] += 1
        }
        return true
    }

    /// Says that tokens were computed, and lets go what they push out.
    package func advance(_ tokens: Int) {
        for i in positions.indices {
            heads[i].count += tokens
            positions[i] += (next..<next + tokens).map { Int32($0) }
        }
        loaded = nil
        next += tokens
        fresh += tokens
        dropUnseen()
        if case .every(let slack) = policy.trigger, fresh >= slack, chosenRows > Double(budget) {
            evict()
        }
    }

    /// The most tokens of a step, so that whatever it is cut into, rows are evicted and encoded
    /// behind the same ones.
    package var stepTokens: Int {
        var most = KVShape.blockTokens
        if codec.isPaged {
            most = positions.reduce(most) { min($0, most - $1.count % KVShape.blockTokens) }
        }
        guard case .every(let slack) = policy.trigger else { return most }
        let left = fresh < slack ? slack - fresh : Int(Double(budget) - chosenRows) + 1
        return max(1, min(most, left))
    }

    /// Rows that no later token of a layer with a window sees go, by pages.
    private func dropUnseen() {
        let block = KVShape.blockTokens
        for i in positions.indices {
            guard let window = configuration.window(layer: i / configuration.kvHeads) else { continue }
            let unseen = max(0, positions[i].count - window) / block
            if unseen > 0 { dropPages(i, 0..<unseen) }
        }
    }

    // MARK: Evicting

    /// Evicts the rows that the policy gives up.
    package func evict() {
        fresh = 0
        let lengths = self.lengths { positions[$0].count }, budgets = split(lengths)
        for i in positions.indices where budgets[i] < positions[i].count {
            if codec.isPaged, codedPages(i) > 0 {
                evictPages(i, budget: budgets[i])
            } else {
                load(i)
                keep(i, positions[i], budget: budgets[i])
            }
        }
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
        let c = configuration, block = KVShape.blockTokens, part = block * c.headDimension
        let budgets = split(lengths { _ in count })
        for i in chosen {
            let layer = i / c.kvHeads * view.layerStride, head = i % c.kvHeads * part,
                first = firstSeen(i, of: count)
            for b in first / block..<KVShape.blocks(count) {
                let to = (b - first / block) * part
                (scratch.keys + to).update(
                    from: view.keys + layer + view.keyOffset(b * block) + head, count: part)
                (scratch.values + to).update(
                    from: view.values + layer
                        + view.valueOffset(b * block, dimension: c.headDimension) + head,
                    count: part)
            }
            loaded = i
            guard keep(i, (Int32(first)..<Int32(count)).map { $0 }, budget: min(count - first, budgets[i]))
            else { return false }
            encode(i)
        }
        if chosen.upperBound == positions.count {
            next = count
            didEvict()
        }
        return true
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
        let block = KVShape.blockTokens, lengths = Self.lengths(c) { _ in count }
        var halves = 0, codes = 0, most = 0
        for (i, budget) in split(c, policy, budget, lengths).enumerated() {
            let rows = min(count - firstSeen(c, i / c.kvHeads, of: count), budget),
                coded = codec.isPaged ? max(0, (rows - residual) / block - 1) : 0
            halves += KVShape.blocks(rows) - coded + 1
            codes += coded
            most = max(most, coded)
        }
        // A head's rows are there as halves before they are encoded.
        return (halves + most, codes)
    }

    private func lengths(_ count: (Int) -> Int) -> [[Int]] { Self.lengths(configuration, count) }

    private static func lengths(_ c: DecoderConfiguration, _ count: (Int) -> Int) -> [[Int]] {
        (0..<c.layers).map { layer in (0..<c.kvHeads).map { count(layer * c.kvHeads + $0) } }
    }

    private func split(_ lengths: [[Int]]) -> [Int] {
        Self.split(configuration, policy, budget, lengths)
    }

    /// The most rows of each head; layers with windows keep what they see.
    private static func split(
        _ c: DecoderConfiguration, _ policy: KVPolicy, _ budget: Int, _ lengths: [[Int]]
    ) -> [Int] {
        let budgets =
            policy.trigger == .never ? lengths : policy.allocator.split(budget, lengths: lengths)
        return (0..<c.layers * c.kvHeads).map { i in
            let layer = i / c.kvHeads, head = i % c.kvHeads, length = lengths[layer][head]
            return c.window(layer: layer) == nil
                ? max(1, min(length, budgets[layer][head])) : length
        }
    }

    private func didEvict() {
        if policy.scorer.needs != .all, attention.count > 0 { clearAttention() }
    }

    /// Keeps the best of a head's rows, which lie in `scratch`, and writes those that changed.
    ///
    /// - Returns: false if there is no memory.
    @discardableResult
    private func keep(_ i: Int, _ before: [Int32], budget: Int) -> Bool {
        var kept = Array(before.indices), changed = positions[i].isEmpty ? 0 : before.count
        if budget < before.count {
            let view = rows(i, before, budget: budget), scores = policy.scorer.scores(view)
            // Of equals, the later stays.
            let order = scores.indices.sorted { (scores[$0], $0) > (scores[$1], $1) }
            kept = order.prefix(budget).sorted()
            let lost = order.dropFirst(budget).sorted(),
                changes = policy.disposer.dispose(lost: lost, kept: kept, of: view)
            for change in changes { scratch.write(change) }
            // What stood for many and goes without being made part of another is gone.
            let many =
                changes.first { $0.mergeCount > 1 }.map { ($0.row, $0.mergeCount) }
                ?? (view.compensationRow, view.mergeCount)
            (heads[i].compensationRow, heads[i].mergeCount) =
                kept.firstIndex(of: many.0).map { ($0, many.1) } ?? (0, 1)
            let firsts =
                [kept.enumerated().first { $0 != $1 }?.offset]
                + changes.map { kept.firstIndex(of: $0.row) }
            changed = min(changed, firsts.compactMap { $0 }.min() ?? kept.count)
            scratch.gather(kept)
            gatherAttention(i, kept, of: before.count)
        }
        var after = kept.map { before[$0] }
        if policy.movesTogether { changed = min(changed, moveTogether(i, kept, &after)) }
        return store(i, after, from: changed)
    }

    private func gatherAttention(_ i: Int, _ kept: [Int], of count: Int) {
        guard attention.count > 0 else { return }
        let weights = attention.pointer + i * capacity
        for (to, from) in kept.enumerated() { weights[to] = weights[from] }
        for row in kept.count..<count { weights[row] = 0 }
    }

    /// Gives rows in `scratch` neighbouring positions that end with the last row's: attention looks
    /// at distances alone, so that those before a gap move up to it, and what follows stays.
    ///
    /// - Returns: the first row that moved.
    private func moveTogether(_ i: Int, _ kept: [Int], _ positions: inout [Int32]) -> Int {
        guard let last = positions.last else { return 0 }
        var leading: [Anchor] = [], first = positions.count
        for row in positions.indices {
            let to = last - Int32(positions.count - 1 - row),
                known = anchors[i].indices.contains(kept[row]) ? anchors[i][kept[row]] : nil
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
        let block = KVShape.blockTokens, full = positions[i].count / block
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

    // MARK: Pages

    /// Frees pages and moves the table together.
    private func dropPages(_ i: Int, _ range: Range<Int>) {
        let block = KVShape.blockTokens, table = heads[i].pages
        for page in range { free(table[page]) }
        for page in range.upperBound..<given[i] { table[page - range.count] = table[page] }
        given[i] -= range.count
        sealed[i] = max(0, sealed[i] - range.count)
        heads[i].count -= range.count * block
        positions[i].removeSubrange(range.lowerBound * block..<range.upperBound * block)
        loaded = nil
    }

    private func free(_ page: Int32) {
        if page < 0 { pages.free(~page, .codes) } else { pages.free(page, .halves) }
    }

    /// Copies a head's rows, as halves, to `scratch`: all, or those of the first pages.
    private func load(_ i: Int, pages most: Int = .max) {
        let d = configuration.headDimension, part = KVShape.blockTokens * d
        for page in 0..<min(most, KVShape.blocks(positions[i].count)) {
            let keys = scratch.keys + page * part, values = scratch.values + page * part,
                place = heads[i].pages[page]
            if place < 0 {
                kernels.decodePage(
                    bits: codec.bits, pages.pointer(~place), dimension: d, keys: keys, values: values)
            } else {
                keys.update(from: pages.pointer(place), count: part)
                values.update(from: pages.pointer(place) + part, count: part)
            }
        }
        loaded = most == .max ? i : nil
    }

    /// Makes `scratch` the head's rows, from the page of row `first` on: all behind it, or so many
    /// pages.
    ///
    /// - Returns: false if there is no memory.
    @discardableResult
    private func store(_ i: Int, _ rows: [Int32], from first: Int, pages most: Int = .max) -> Bool {
        let part = KVShape.blockTokens * configuration.headDimension,
            count = KVShape.blocks(rows.count), start = first / KVShape.blockTokens
        loaded = nil
        while given[i] > max(count, start) {
            given[i] -= 1
            free(heads[i].pages[given[i]])
        }
        guard give(i, pages: count) else { return false }
        let end = most == .max ? count : min(count, start + most)
        for page in start..<max(start, end) {
            let memory = pages.pointer(heads[i].pages[page])
            memory.update(from: scratch.keys + page * part, count: part)
            (memory + part).update(from: scratch.values + page * part, count: part)
        }
        positions[i] = rows
        heads[i].count = rows.count
        if most == .max { sealed[i] = min(sealed[i], start) }
        return true
    }

    /// Encodes pages that are full.
    package func encode() {
        for i in positions.indices { encode(i) }
    }

    private func encode(_ i: Int) {
        guard codec != .f16 else { return }
        let block = KVShape.blockTokens, d = configuration.headDimension
        while (sealed[i] + 1) * block + residual <= positions[i].count {
            let page = sealed[i], halves = pages.pointer(heads[i].pages[page])
            if page > 0, codec.isPaged {
                // Without memory for codes, the page stays as it is until there is some.
                guard let new = pages.allocate(.codes) else { return }
                kernels.encodePage(
                    bits: codec.bits, keys: halves, values: halves + block * d, dimension: d,
                    into: pages.pointer(new))
                pages.free(heads[i].pages[page], .halves)
                heads[i].pages[page] = ~new
                loaded = nil
            } else if page > 0 {
                // A codec for files alone: what it loses is measured, its bytes are counted.
                codec.round(halves, dimension: d)
                loaded = nil
            }
            sealed[i] += 1
        }
    }
}

/// Rows of one head side by side, in halves: keys in blocks as [dimension][32], values as rows.
private final class HeadScratch {
    private let dimension: Int
    private let buffers: (keys: AlignedBuffer<UInt16>, values: AlignedBuffer<UInt16>)
    private let block = KVShape.blockTokens
    var keys: UnsafeMutablePointer<UInt16> { buffers.keys.pointer }
    var values: UnsafeMutablePointer<UInt16> { buffers.values.pointer }

    init(rows: Int, dimension: Int) {
        self.dimension = dimension
        buffers = (AlignedBuffer(rows * dimension), AlignedBuffer(rows * dimension))
    }

    /// Where a row's key begins; its elements are a block's length apart.
    private func start(_ row: Int) -> UnsafeMutablePointer<UInt16> {
        keys + row / block * block * dimension + row % block
    }

    func key(_ row: Int) -> [UInt16] { (0..<dimension).map { start(row)[$0 * block] } }

    func setKey(_ row: Int, _ key: [UInt16]) {
        let to = start(row)
        for e in 0..<dimension { to[e * block] = key[e] }
    }

    func write(_ change: KVChange) {
        setKey(change.row, change.key.map { Float16($0).bitPattern })
        for e in 0..<dimension {
            values[change.row * dimension + e] = Float16(change.value[e]).bitPattern
        }
    }

    /// Moves kept rows to the front.
    func gather(_ kept: [Int]) {
        for (to, from) in kept.enumerated() where to != from {
            (values + to * dimension).update(from: values + from * dimension, count: dimension)
            let source = start(from), target = start(to)
            for e in 0..<dimension { target[e * block] = source[e * block] }
        }
    }
}
