#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Float {
    static func logarithm(_ x: Float) -> Float { logf(x) }
    static func arccosine(_ x: Float) -> Float { acosf(x) }
}

/// The `k` documents of the highest positive score among those allowed, the best first.
///
/// - Complexity: O(n log k).
public func highest(_ k: Int, of scores: [Float], where allowed: (Int) -> Bool) -> [Int] {
    guard k > 0 else { return [] }
    // A min-heap of the best so far.
    var heap: [(score: Float, document: Int)] = []
    heap.reserveCapacity(k)
    func before(_ a: (score: Float, document: Int), _ b: (score: Float, document: Int)) -> Bool {
        a.score != b.score ? a.score < b.score : a.document > b.document
    }
    for (document, score) in scores.enumerated() where score > 0 {
        if heap.count == k, score <= heap[0].score { continue }
        guard allowed(document) else { continue }
        if heap.count < k {
            heap.append((score, document))
            var i = heap.count - 1
            while i > 0, before(heap[i], heap[(i - 1) / 2]) {
                heap.swapAt(i, (i - 1) / 2)
                i = (i - 1) / 2
            }
        } else {
            heap[0] = (score, document)
            var i = 0
            while true {
                var least = i
                for child in [2 * i + 1, 2 * i + 2] where child < heap.count && before(heap[child], heap[least]) { least = child }
                if least == i { break }
                heap.swapAt(i, least)
                i = least
            }
        }
    }
    return heap.sorted { before($1, $0) }.map(\.document)
}
