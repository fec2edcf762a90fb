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
    var ranking = Ranking(k)
    for (document, score) in scores.enumerated()
    where score > 0 && score > ranking.threshold && allowed(document) {
        ranking.insert(UInt32(document), score)
    }
    return ranking.sorted.map(Int.init)
}

/// The `k` highest of some scored items, the best first; of equals the lower number comes first.
///
/// - Complexity: O(n log k).
public func highest(_ k: Int, of scored: [(item: Int, score: Float)]) -> [(item: Int, score: Float)] {
    var ranking = Ranking(k)
    for (item, score) in scored { ranking.insert(UInt32(item), score) }
    return ranking.best.map { (Int($0.item), $0.score) }
}
