/// The `limit` best of many scored items, as a heap with the worst on top.
struct Ranking {
    private(set) var items: [(score: Float, item: UInt32)] = []
    private let limit: Int

    init(_ limit: Int) {
        self.limit = limit
        items.reserveCapacity(limit)
    }

    /// What an item must exceed to be kept.
    var threshold: Float { items.count < limit ? -.infinity : items.first?.score ?? .infinity }

    @inline(__always)
    mutating func insert(_ item: UInt32, _ score: Float) {
        if score > threshold { place(item, score) }
    }

    private mutating func place(_ item: UInt32, _ score: Float) {
        if items.count < limit {
            items.append((score, item))
            var i = items.count - 1
            while i > 0, items[i].score < items[(i - 1) / 2].score {
                items.swapAt(i, (i - 1) / 2)
                i = (i - 1) / 2
            }
        } else {
            items[0] = (score, item)
            var i = 0
            while true {
                var least = i
                if 2 * i + 1 < items.count, items[2 * i + 1].score < items[least].score { least = 2 * i + 1 }
                if 2 * i + 2 < items.count, items[2 * i + 2].score < items[least].score { least = 2 * i + 2 }
                if least == i { break }
                items.swapAt(i, least)
                i = least
            }
        }
    }
}
