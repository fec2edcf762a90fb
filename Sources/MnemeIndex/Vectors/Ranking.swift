/// The `limit` best of many scored items, as a heap with the worst on top; of equals the first
/// number is better.
struct Ranking {
    private(set) var items: [(score: Float, item: UInt32)] = []
    private let limit: Int

    /// Keeps the best `limit` of what is inserted.
    init(_ limit: Int) {
        self.limit = limit
        items.reserveCapacity(limit)
    }

    /// The score that an item must exceed to be kept.
    var threshold: Float { items.count < limit ? -.infinity : items.first?.score ?? .infinity }

    /// - Complexity: O(log limit), and O(1) for what is worse than all that are kept: ask
    ///   ``threshold`` before.
    @inline(__always)
    mutating func insert(_ item: UInt32, _ score: Float) {
        if items.count < limit || (limit > 0 && Self.isWorse(items[0], (score, item))) {
            place(item, score)
        }
    }

    /// From the best to the worst.
    var best: [(score: Float, item: UInt32)] { items.sorted { Self.isWorse($1, $0) } }
    var sorted: [UInt32] { best.map(\.item) }

    /// The order of the heap, whose root is the worst that is kept; of equal scores the later item
    /// is worse, so that an answer does not depend on the order of comparing.
    @inline(__always)
    private static func isWorse(
        _ a: (score: Float, item: UInt32), _ b: (score: Float, item: UInt32)
    ) -> Bool {
        a.score != b.score ? a.score < b.score : a.item > b.item
    }

    /// Puts an item in the root's place and lets it sink.
    private mutating func place(_ item: UInt32, _ score: Float) {
        if items.count < limit {
            items.append((score, item))
            var i = items.count - 1
            while i > 0, Self.isWorse(items[i], items[(i - 1) / 2]) {
                items.swapAt(i, (i - 1) / 2)
                i = (i - 1) / 2
            }
        } else {
            items[0] = (score, item)
            var i = 0
            while true {
                var least = i
                if 2 * i + 1 < items.count, Self.isWorse(items[2 * i + 1], items[least]) {
                    least = 2 * i + 1
                }
                if 2 * i + 2 < items.count, Self.isWorse(items[2 * i + 2], items[least]) {
                    least = 2 * i + 2
                }
                if least == i { break }
                items.swapAt(i, least)
                i = least
            }
        }
    }
}
