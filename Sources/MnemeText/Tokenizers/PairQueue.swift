/// A binary heap of pairs of neighbours that could be joined: the lowest priority number first,
/// then the leftmost.
struct PairQueue {
    struct Entry {
        var priority: Float
        var left, right: Int
        /// Bytes of both, where that tells whether the entry is stale.
        var length: Int

        func precedes(_ other: Entry) -> Bool {
            priority != other.priority ? priority < other.priority : left < other.left
        }
    }

    private var heap: [Entry] = []

    mutating func push(_ entry: Entry) {
        heap.append(entry)
        var i = heap.count - 1
        while i > 0, heap[i].precedes(heap[(i - 1) / 2]) {
            heap.swapAt(i, (i - 1) / 2)
            i = (i - 1) / 2
        }
    }

    mutating func pop() -> Entry? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return top }
        heap[0] = last
        var i = 0
        while true {
            var least = i
            for child in [2 * i + 1, 2 * i + 2]
            where child < heap.count && heap[child].precedes(heap[least]) {
                least = child
            }
            if least == i { return top }
            heap.swapAt(i, least)
            i = least
        }
    }
}
