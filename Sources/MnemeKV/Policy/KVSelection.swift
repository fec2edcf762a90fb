import Foundation
package import MnemeModels
import MnemeNumerics

/// The pages of one sequence's heads that each token reads: what stands for full pages, and the
/// choice among them (``KVSelector``).
///
/// Vectors are made when a page is full, before it is encoded. The choice is made by the threads of
/// a step, each for heads of its own. Where all pages are read, it hands out the head's own table, so
/// that bits are those of a sequence without it.
package final class KVSelection: @unchecked Sendable {
    private let configuration: DecoderConfiguration
    private let selector: any KVSelector
    /// Pages that a token reads of a head, and the most that a head has.
    private let budget: Int, capacity: Int
    private let kernels = DecoderKernels()
    private let heads: UnsafePointer<KVHeadRows>
    /// Vectors of full pages as `mnk_score_pages` reads them, their number, and their dissimilarity.
    private let vectors: AlignedBuffer<UInt16>
    private var full: [Int]
    /// What stands for the pages of each head instead of vectors, if the selector has it so.
    private let indexes: [any KVPageIndex]
    private let dissimilarity: AlignedBuffer<Float>
    /// Pages that are always read: 1 for each.
    private let isOutlier: AlignedBuffer<UInt8>
    /// Pages of the means of each head's full pages, a row for each; and the logarithms of what chosen rows
    /// stand for.
    private var means: [[Int32]]
    private let meanLogs: AlignedBuffer<Float>
    /// Notes what choices are worth, if somebody wants to know.
    package var audit: KVSelectionAudit?
    /// Where pages are counted from.
    private var base: UnsafePointer<UInt16>?
    /// Elements of a key, and query heads of a key-value head.
    var dimension: Int { configuration.headDimension }
    var group: Int { configuration.heads / configuration.kvHeads }
    /// Gives a page of halves for means, if there is memory; the sequence takes it back.
    var allocate: () -> Int32? = { nil }
    /// The chosen tables; the scores of each head of a layer, what its pages are worth, the same with
    /// other heads' or with outliers, and a copy.
    private let tables: AlignedBuffer<Int32>, scores: AlignedBuffer<Float>
    /// Bytes that the last token read of each head.
    private let read: AlignedBuffer<Int>
    private let chosen: UnsafeMutablePointer<KVHeadRows>
    /// What a step asks.
    package private(set) lazy var chooser = KVPageChooser(chosen: chosen) { [unowned self] in
        choose($0, $1, $2, scale: $3)
    }

    /// The most pages of means of a head.
    private let meanRoom: Int
    /// Pages that the means of a head of so many rows take.
    static func meanPages(_ selector: (any KVSelector)?, of rows: Int) -> Int {
        selector?.estimates ?? false ? KVShape.blocks(rows / KVShape.blockTokens) : 0
    }

    /// The layer whose choice deeper ones read; nil if all choose.
    private let watershed: Int?

    /// The logarithm of the rows that a mean stands for.
    private static let meanLog = log(Float(KVShape.blockTokens))

    /// A page of each kind that is always read: the first, the last full one, and the open one.
    private static let always = 3

    /// - Parameters:
    ///   - rows: that a token may read of a head, never less than four pages, and that a head may
    ///     have.
    ///   - heads: the sequence's; they outlive the selection.
    package init(
        _ configuration: DecoderConfiguration, _ selector: any KVSelector,
        rows: (read: Int, most: Int),
        heads: UnsafePointer<KVHeadRows>
    ) {
        let c = configuration
        let count = c.layers * c.kvHeads
        let pages = (KVShape.blocks(rows.most) + 15) / 16 * 16
        (self.configuration, self.selector, self.heads) = (c, selector, heads)
        budget = max(Self.always + 1, rows.read / KVShape.blockTokens)
        self.capacity = pages
        vectors = AlignedBuffer(count * pages * selector.vectors * c.headDimension)
        full = [Int](repeating: 0, count: count)
        let source = selector as? any KVIndexSelector
        indexes = source.map { source in (0..<count).map { _ in source.index() } } ?? []
        dissimilarity = AlignedBuffer(count * pages)
        isOutlier = AlignedBuffer(count * pages)
        means = [[Int32]](repeating: [], count: count)
        meanRoom = Self.meanPages(selector, of: rows.most)
        meanLogs = AlignedBuffer(meanRoom > 0 ? count * (budget + meanRoom + 3) * KVShape.blockTokens : 0)
        tables = AlignedBuffer(count * (budget + meanRoom + 1))
        scores = AlignedBuffer(c.kvHeads * (c.heads / c.kvHeads + 3) * pages)
        let last = Int(selector.lastChoosing * Double(c.layers))
        watershed =
            last >= c.layers - 1 ? nil : (0...last).last { c.window(layer: $0) == nil && $0 >= selector.wholeLayers }
        read = AlignedBuffer(count)
        chosen = .allocate(capacity: count)
        for i in 0..<count { (chosen + i).initialize(to: heads[i]) }
    }

    deinit { chosen.deallocate() }

    /// Bytes that the last token read: of keys, values and what stands for pages.
    package var readBytes: Int { (0..<read.count).reduce(0) { $0 + read.pointer[$1] } }

    // MARK: Build

    /// Makes the vectors of a head's pages that are full and have none.
    ///
    /// - Parameters:
    ///   - base: where its pages, which hold halves, are counted from.
    ///   - tokens: of all rows, if the selector asks for them.
    ///   - queries: the last tokens', if it asks for them.
    package func build(
        _ i: Int, base: UnsafePointer<UInt16>, tokens: [Int32] = [], queries: [[Float]] = []
    ) {
        guard configuration.window(layer: i / configuration.kvHeads) == nil else { return }
        self.base = base
        let d = configuration.headDimension
        let block = KVShape.blockTokens
        let count = heads[i].count / block
        guard full[i] < count else { return }
        if selector.estimates { for page in full[i]..<count { addMean(i, page, base: base) } }
        func keys(_ page: Int) -> [[Float]] {
            let place = heads[i].pages[page]
            precondition(place >= 0, "Vectors are made before a page is encoded.")
            let halves = base + Int(place) * KVHeadRows.pageUnit
            return (0..<block).map { row in
                (0..<d).map { Float(half: halves[$0 * block + row]) }
            }
        }
        if !indexes.isEmpty {
            var rows = KVPageRows(first: full[i] * block, keys: (full[i]..<count).flatMap(keys))
            if tokens.count >= count * block { rows.tokens = Array(tokens[rows.first..<count * block]) }
            rows.queries = queries
            indexes[i].add(rows)
            full[i] = count
            return
        }
        for page in full[i]..<count {
            let summary = selector.summary(keys(page))
            let target = vectors.pointer + (i * capacity + page / 16 * 16) * selector.vectors * d
            for (v, vector) in summary.vectors.enumerated() {
                for e in 0..<d {
                    target[(e * selector.vectors + v) * 16 + page % 16] = Float16(vector[e]).bitPattern
                }
            }
            dissimilarity.pointer[i * capacity + page] = summary.dissimilarity
        }
        full[i] = count
        markOutliers(i)
    }

    /// Makes the mean of a page's keys and values a row of a page of means.
    private func addMean(_ i: Int, _ page: Int, base: UnsafePointer<UInt16>) {
        let d = configuration.headDimension
        let block = KVShape.blockTokens
        if page / block == means[i].count, let new = allocate() {
            UnsafeMutablePointer(mutating: base + Int(new) * KVHeadRows.pageUnit).update(
                repeating: 0, count: 2 * block * d)
            means[i].append(new)
        }
        // Without memory, what lies behind is left out.
        guard page / block < means[i].count else { return }
        let source = base + Int(heads[i].pages[page]) * KVHeadRows.pageUnit
        let target = UnsafeMutablePointer(mutating: base + Int(means[i][page / block]) * KVHeadRows.pageUnit)
        for e in 0..<d {
            var (key, value): (Float, Float) = (0, 0)
            for row in 0..<block {
                key += Float(half: source[e * block + row])
                value += Float(half: source[(block + row) * d + e])
            }
            target[e * block + page % block] = Float16(key / Float(block)).bitPattern
            target[block * d + page % block * d + e] = Float16(value / Float(block)).bitPattern
        }
    }

    private func markOutliers(_ i: Int) {
        let marks = isOutlier.pointer + i * capacity
        marks.update(repeating: 0, count: full[i])
        let count = min(full[i] - 1, Int(selector.outliers * Double(budget - Self.always)))
        guard count > 0 else { return }
        let dissimilarity = dissimilarity.pointer + i * capacity
        for page in (1..<full[i]).sorted(by: { (dissimilarity[$0], $1) > (dissimilarity[$1], $0) })
            .prefix(count)
        {
            marks[page] = 1
        }
    }

    // MARK: Select

    /// Chooses a head's pages for the queries of its group, one behind the other.
    package func choose(_ layer: Int, _ head: Int, _ queries: UnsafePointer<Float>, scale: Float) {
        let c = configuration
        let i = layer * c.kvHeads + head
        let rows = heads[i]
        let pages = rows.count / KVShape.blockTokens
        let estimated = means[i].count
        guard layer >= selector.wholeLayers, pages + 1 > budget + estimated, full[i] >= pages else {
            chosen[i] = rows
            meter(i, rows, summaries: 0, of: 0)
            return
        }
        let worth = worth(head) + capacity
        let isBehind = watershed.map { layer > $0 } ?? false
        if isBehind {
            worth.update(repeating: 0, count: pages)
            for other in 0..<c.kvHeads {
                let its = self.worth(other)
                for page in 1..<pages - 1 { worth[page] += its[page] }
            }
        } else {
            score(i, queries, scale: scale, rows: rows.count)
            worth.update(from: self.worth(head), count: pages)
        }
        let marks = isOutlier.pointer + i * capacity
        for page in 1..<pages - 1 where marks[page] != 0 { worth[page] = .infinity }
        let table = tables.pointer + i * (budget + meanRoom + 1)
        // What is read counts by itself, all else by means.
        let block = KVShape.blockTokens
        let logs = meanRoom > 0 ? meanLogs.pointer + i * (budget + meanRoom + 3) * block : nil
        if let logs {
            logs.update(repeating: -.infinity, count: estimated * block)
            (logs + 1).update(repeating: Self.meanLog, count: max(0, min(estimated * block, pages - 1) - 1))
            chosen[i].mergeLogs = UnsafePointer(logs)
        }
        for page in 0..<estimated { table[page] = means[i][page] }
        var count = estimated + 1
        table[estimated] = rows.pages[0]
        var picked: [Int] = []
        best(budget - Self.always, worth, 1..<pages - 1) {
            table[count] = rows.pages[$0]
            count += 1
            if audit != nil { picked.append($0) }
            if $0 < estimated * block { logs?[$0] = -.infinity }
        }
        table[count] = rows.pages[pages - 1]
        table[count + 1] = rows.pages[pages]
        chosen[i].pages = table
        chosen[i].codeBits = rows.codeBits
        chosen[i].count = (count + 1) * KVShape.blockTokens + rows.count % KVShape.blockTokens
        meter(i, chosen[i], summaries: isBehind ? 0 : pages, of: indexes.isEmpty ? 0 : indexes[i].bytes)
        guard let audit, let base else { return }
        audit.note(i, picked, scanned: indexes.isEmpty ? nil : indexes[i].scanned) {
            masses(rows, queries, scale: scale, base: base)
        }
        if selector.looksAhead { audit.fetch(i, ahead(i, queries, scale: scale, rows: rows.count)) }
    }

    /// The pages that the next token would read if its queries were this one's, a position further on.
    private func ahead(_ i: Int, _ queries: UnsafePointer<Float>, scale: Float, rows: Int) -> [Int] {
        let d = dimension
        let guesses = (0..<group).flatMap { member in
            configuration.rope.rotated((0..<d).map { queries[member * d + $0] }, by: 1)
        }
        guesses.withUnsafeBufferPointer { score(i, $0.baseAddress!, scale: scale, rows: rows) }
        var pages: [Int] = []
        best(budget - Self.always, worth(i % configuration.kvHeads), 1..<rows / KVShape.blockTokens - 1) {
            pages.append($0)
        }
        return pages
    }

    /// Where a head keeps what its pages are worth; behind it is room for two copies.
    private func worth(_ head: Int) -> UnsafeMutablePointer<Float> {
        let group = configuration.heads / configuration.kvHeads
        return scores.pointer + (head * (group + 3) + group) * capacity
    }

    /// Scores a head's pages for its queries, and says what they are worth to all of them.
    private func score(_ i: Int, _ queries: UnsafePointer<Float>, scale: Float, rows: Int) {
        let c = configuration
        let group = c.heads / c.kvHeads
        let pages = rows / KVShape.blockTokens
        let scores = scores.pointer + i % c.kvHeads * (group + 3) * capacity
        if indexes.isEmpty {
            kernels.scorePages(
                queries: queries, count: group, dimension: c.headDimension, scale: scale,
                vectors: vectors.pointer + i * capacity * selector.vectors * c.headDimension,
                of: selector.vectors, pages: pages, into: scores)
        } else {
            for member in 0..<group {
                let query = (0..<c.headDimension).map { queries[member * c.headDimension + $0] * scale }
                indexes[i].score(query, at: rows, into: scores + member * ((pages + 15) / 16 * 16))
            }
        }
        kernels.pageWorth(
            scores, queries: group, pages: 1..<pages - 1, into: worth(i % c.kvHeads))
    }

    /// Calls `body` with the pages of highest worth, ascending; of equals, the earlier.
    ///
    /// - Complexity: linear in pages on average.
    private func best(
        _ count: Int, _ worth: UnsafeMutablePointer<Float>, _ pages: Range<Int>,
        _ body: (Int) -> Void
    ) {
        // Room for a copy is behind each head's.
        let copy = worth + capacity
        guard count < pages.count else { return pages.forEach(body) }
        let n = pages.count
        for (j, page) in pages.enumerated() { copy[j] = worth[page] }
        // Hoare's selection of the count-th highest.
        var low = 0
        var high = n - 1
        while low < high {
            let pivot = copy[(low + high) / 2]
            var a = low
            var b = high
            while a <= b {
                while copy[a] > pivot { a += 1 }
                while copy[b] < pivot { b -= 1 }
                if a <= b {
                    (copy[a], copy[b]) = (copy[b], copy[a])
                    a += 1
                    b -= 1
                }
            }
            if count - 1 <= b { high = b } else if count - 1 >= a { low = a } else { break }
        }
        let least = copy[count - 1]
        var equals = count
        for page in pages where worth[page] > least { equals -= 1 }
        for page in pages {
            if worth[page] > least {
                body(page)
            } else if worth[page] == least, equals > 0 {
                equals -= 1
                body(page)
            }
        }
    }

    /// Counts what a token reads of a head.
    private func meter(_ i: Int, _ rows: KVHeadRows, summaries: Int, of index: Int) {
        let d = configuration.headDimension
        let block = KVShape.blockTokens
        var bytes = summaries * selector.vectors * d * 2 + index
        for page in 0..<rows.count / block {
            bytes +=
                rows.pages[page] < 0
                ? DecoderKernels.pageBytes(bits: rows.codeBits, dimension: d) : 4 * d * block
        }
        read.pointer[i] = bytes + (rows.count % block + 1) * 4 * d
    }
}
