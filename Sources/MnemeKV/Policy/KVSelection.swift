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
    private let dissimilarity: AlignedBuffer<Float>
    /// Pages that are always read: 1 for each.
    private let isOutlier: AlignedBuffer<UInt8>
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

    /// The layer whose choice deeper ones read; nil if all choose.
    private let watershed: Int?

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
        dissimilarity = AlignedBuffer(count * pages)
        isOutlier = AlignedBuffer(count * pages)
        tables = AlignedBuffer(count * (budget + 1))
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
    /// - Parameter base: where its pages, which hold halves, are counted from.
    package func build(_ i: Int, base: UnsafePointer<UInt16>) {
        guard configuration.window(layer: i / configuration.kvHeads) == nil else { return }
        let d = configuration.headDimension
        let block = KVShape.blockTokens
        let count = heads[i].count / block
        guard full[i] < count else { return }
        for page in full[i]..<count {
            let place = heads[i].pages[page]
            precondition(place >= 0, "Vectors are made before a page is encoded.")
            let halves = base + Int(place) * KVHeadRows.pageUnit
            let keys = (0..<block).map { row in
                (0..<d).map { Float(Float16(bitPattern: halves[$0 * block + row])) }
            }
            let summary = selector.summary(keys)
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
        guard layer >= selector.wholeLayers, pages + 1 > budget, full[i] >= pages else {
            chosen[i] = rows
            meter(i, rows, summaries: 0)
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
            score(i, queries, scale: scale, pages: pages)
            worth.update(from: self.worth(head), count: pages)
        }
        let marks = isOutlier.pointer + i * capacity
        for page in 1..<pages - 1 where marks[page] != 0 { worth[page] = .infinity }
        let table = tables.pointer + i * (budget + 1)
        var count = 1
        table[0] = rows.pages[0]
        best(budget - Self.always, worth, 1..<pages - 1) {
            table[count] = rows.pages[$0]
            count += 1
        }
        table[count] = rows.pages[pages - 1]
        table[count + 1] = rows.pages[pages]
        chosen[i].pages = table
        chosen[i].codeBits = rows.codeBits
        chosen[i].count = (count + 1) * KVShape.blockTokens + rows.count % KVShape.blockTokens
        meter(i, chosen[i], summaries: isBehind ? 0 : pages)
    }

    /// Where a head keeps what its pages are worth; behind it is room for two copies.
    private func worth(_ head: Int) -> UnsafeMutablePointer<Float> {
        let group = configuration.heads / configuration.kvHeads
        return scores.pointer + (head * (group + 3) + group) * capacity
    }

    /// Scores a head's pages for its queries, and says what they are worth to all of them.
    private func score(_ i: Int, _ queries: UnsafePointer<Float>, scale: Float, pages: Int) {
        let c = configuration
        let group = c.heads / c.kvHeads
        let scores = scores.pointer + i % c.kvHeads * (group + 3) * capacity
        kernels.scorePages(
            queries: queries, count: group, dimension: c.headDimension, scale: scale,
            vectors: vectors.pointer + i * capacity * selector.vectors * c.headDimension,
            of: selector.vectors, pages: pages, into: scores)
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
    private func meter(_ i: Int, _ rows: KVHeadRows, summaries: Int) {
        let d = configuration.headDimension
        let block = KVShape.blockTokens
        var bytes = summaries * selector.vectors * d * 2
        for page in 0..<rows.count / block {
            bytes +=
                rows.pages[page] < 0
                ? DecoderKernels.pageBytes(bits: rows.codeBits, dimension: d) : 4 * d * block
        }
        read.pointer[i] = bytes + (rows.count % block + 1) * 4 * d
    }
}
