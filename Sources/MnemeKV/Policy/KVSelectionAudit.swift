import Foundation
import MnemeModels
import MnemeNumerics

/// What choices of pages are worth, for `mneme kv eval`: how many of them were at hand already, and how many are
/// the right ones.
///
/// At hand are the pages of the last choice, as if these alone lay in a fast tier, and those that were fetched for
/// the next token by a guess of its query (``KVSelector/looksAhead``). Heads are noted by different threads, each by
/// one at a time.
package final class KVSelectionAudit: @unchecked Sendable {
    /// What is known of one head.
    private struct Head {
        var last: Set<Int> = [], ahead: Set<Int> = []
        var choices = 0.0, pages = 0.0, hits = 0.0, stalls = 0.0, fetched = 0.0
        var compared = 0.0, recall = 0.0, mass = 0.0, scanned = 0.0, scans = 0.0
    }
    private let heads: UnsafeMutablePointer<Head>
    private let count: Int
    /// Each so many choices of a head are compared with what all of its keys say.
    private let every: Int

    /// - Parameters:
    ///   - count: heads of all layers.
    ///   - every: of a head's choices, one in so many is compared with exact scores.
    package init(heads count: Int, every: Int = 8) {
        heads = .allocate(capacity: count)
        heads.initialize(repeating: Head(), count: count)
        (self.count, self.every) = (count, every)
    }

    deinit {
        heads.deinitialize(count: count)
        heads.deallocate()
    }

    /// Counts a choice in.
    ///
    /// - Parameters:
    ///   - chosen: pages that a token reads, beside those that all read.
    ///   - exact: what each page has of the attention, asked for now and then; nil if that cannot be told.
    ///   - scanned: the share of keys that were looked at, if the index says so.
    package func note(_ i: Int, _ chosen: [Int], scanned: Double?, exact: () -> [Float]?) {
        let new = Set(chosen)
        let atHand = heads[i].last.union(heads[i].ahead)
        if heads[i].choices > 0 {
            let hits = new.intersection(atHand).count
            heads[i].hits += Double(hits)
            heads[i].pages += Double(new.count)
            heads[i].stalls += hits < new.count ? 1 : 0
            heads[i].fetched += Double(new.count - hits)
        }
        if let scanned {
            heads[i].scanned += scanned
            heads[i].scans += 1
        }
        if Int(heads[i].choices) % every == 0, let masses = exact() {
            let order = masses.indices.sorted { (masses[$0], $1) > (masses[$1], $0) }
            let best = order.prefix(new.count)
            heads[i].recall += Double(new.intersection(best).count) / Double(max(1, new.count))
            let most = best.reduce(Float(0)) { $0 + masses[$1] }
            heads[i].mass += Double(new.reduce(Float(0)) { $0 + masses[$1] } / max(most, 1e-20))
            heads[i].compared += 1
        }
        heads[i].choices += 1
        (heads[i].last, heads[i].ahead) = (new, [])
    }

    /// Has pages fetched for the next token.
    package func fetch(_ i: Int, _ pages: [Int]) {
        heads[i].fetched += Double(Set(pages).subtracting(heads[i].last).count)
        heads[i].ahead = Set(pages)
    }

    /// Shares over all choices: "hits", of pages that were at hand; "stalls", of choices that waited for a page;
    /// "fetched", pages a choice in share of those chosen; "recall", of the best pages, and "mass", the attention of
    /// those chosen against that of the best; "scanned", of keys that were looked at.
    package var readings: [String: Double] {
        func sum(_ path: KeyPath<Head, Double>) -> Double { (0..<count).reduce(0) { $0 + heads[$1][keyPath: path] } }
        var readings: [String: Double] = [:]
        func set(_ name: String, _ path: KeyPath<Head, Double>, of all: Double) {
            if all > 0 { readings[name] = sum(path) / all }
        }
        let again = sum(\.choices) - Double((0..<count).count { heads[$0].choices > 0 })
        set("hits", \.hits, of: sum(\.pages))
        set("stalls", \.stalls, of: again)
        set("fetched", \.fetched, of: sum(\.pages))
        set("recall", \.recall, of: sum(\.compared))
        set("mass", \.mass, of: sum(\.compared))
        set("scanned", \.scanned, of: sum(\.scans))
        return readings
    }
}

extension KVSelection {
    /// What each page of a head has of its queries' attention, beside the pages that all read; nil if some are codes.
    ///
    /// - Complexity: O(rows·dimension) for each query.
    func masses(
        _ rows: KVHeadRows, _ queries: UnsafePointer<Float>, scale: Float, base: UnsafePointer<UInt16>
    ) -> [Float]? {
        let (d, block) = (dimension, KVShape.blockTokens)
        let pages = rows.count / block
        guard (0..<pages).allSatisfy({ rows.pages[$0] >= 0 }) else { return nil }
        var masses = [Float](repeating: 0, count: pages)
        for member in 0..<group {
            var scores = [Float](repeating: 0, count: pages * block)
            for page in 1..<pages - 1 {
                let keys = base + Int(rows.pages[page]) * KVHeadRows.pageUnit
                for e in 0..<d {
                    let x = queries[member * d + e] * scale
                    for row in 0..<block {
                        scores[page * block + row] += x * Float(half: keys[e * block + row])
                    }
                }
            }
            let inner = block..<(pages - 1) * block
            let most = scores[inner].max() ?? 0
            var total: Float = 0
            for row in inner {
                scores[row] = exp(scores[row] - most)
                total += scores[row]
            }
            for row in inner { masses[row / block] += scores[row] / total }
        }
        return masses
    }
}
