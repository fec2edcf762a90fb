import Foundation

/// Scores of a ranking against the set of what should be in it.
public enum RankScore {
    /// 1 if any of the wanted is among the first k.
    public static func any(_ ranking: [String], _ wanted: Set<String>, _ k: Int) -> Double {
        wanted.isDisjoint(with: ranking.prefix(k)) ? 0 : 1
    }

    /// 1 if all of the wanted are among the first k.
    public static func all(_ ranking: [String], _ wanted: Set<String>, _ k: Int) -> Double {
        wanted.isSubset(of: ranking.prefix(k)) ? 1 : 0
    }

    /// 1 over the rank of the first of the wanted; 0 if there is none.
    public static func reciprocalRank(_ ranking: [String], _ wanted: Set<String>) -> Double {
        ranking.firstIndex(where: wanted.contains).map { 1 / Double($0 + 1) } ?? 0
    }

    /// Normalised discounted cumulative gain at k as LongMemEval's script has it: the second rank is not
    /// discounted either (its logarithm is 1).
    public static func ndcg(_ ranking: [String], _ wanted: Set<String>, _ k: Int) -> Double {
        func gain(_ hits: [Bool]) -> Double {
            hits.enumerated().reduce(0) { sum, hit in
                hit.element ? sum + (hit.offset == 0 ? 1 : 1 / log2(Double(hit.offset + 1))) : sum
            }
        }
        let ideal = gain(Array(repeating: true, count: min(k, wanted.count)))
        return ideal > 0 ? gain(ranking.prefix(k).map(wanted.contains)) / ideal : 0
    }

    /// A ranking of turns as one of what they belong to: each at its best place.
    public static func distinct(_ ranking: [String]) -> [String] {
        var seen: Set<String> = []
        return ranking.filter { seen.insert($0).inserted }
    }
}
