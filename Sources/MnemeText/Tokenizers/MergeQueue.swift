/// Binary heap of pairs of neighbours that could be joined: the lowest priority number first, then
/// the leftmost, which is the order in which the reference tokenizers join equal pairs.
///
/// Nothing is removed when a pair becomes stale, because that would need a search: whoever pops an
/// entry checks that both symbols are still what they were. A text of n symbols pushes at most n -
/// 1 entries, and two more for each of at most n - 1 joins.
struct MergeQueue {
    /// Candidate: two neighbouring symbols by their positions in the caller's list.
    struct Entry {
        /// Order of joining: the merge's rank for byte-level BPE, the negated score for
        /// SentencePiece.
        var priority: Float
        /// Positions of both symbols before any join; a joined symbol keeps that of its left half.
        var left, right: Int
        /// Bytes of both symbols, where that tells whether the entry is stale (SentencePiece); 0
        /// where the rank tells it (byte-level BPE).
        var length: Int

        /// Order of the heap. Ties are broken by position, so that the result does not depend on
        /// the order of pushes.
        func precedes(_ other: Entry) -> Bool {
            priority != other.priority ? priority < other.priority : left < other.left
        }
    }

    /// Heap in an array: the children of element i are 2i + 1 and 2i + 2.
    private var heap: [Entry] = []

    /// Adds a candidate. Complexity: O(log n).
    mutating func push(_ entry: Entry) {
        heap.append(entry)
        var i = heap.count - 1
        while i > 0, heap[i].precedes(heap[(i - 1) / 2]) {
            heap.swapAt(i, (i - 1) / 2)
            i = (i - 1) / 2
        }
    }

    /// Removes the first candidate; nil when the queue is empty. Complexity: O(log n).
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
