/// A choice of the pairs of columns and rows whose products make up a matrix product, with weights
/// that make the sum right on average (WTA-CRS, Liu et al. 2023).
///
/// The pairs of the highest probability are taken as they are; the others are drawn. How many are
/// taken is what makes the variance least: the probability that is left, by the draws that are left.
package struct ColumnRowSample {
    /// As many as were to be kept; a drawn one may come twice.
    package let rows: [Int]
    package let weights: [Double]

    /// - Parameters:
    ///   - norms: of each pair, not negative: what its probability is proportional to.
    ///   - budget: pairs that are kept, at most as many as there are.
    ///   - takesWinners: false draws all (column-row sampling, Drineas et al. 2006).
    /// - Complexity: O(*n* log *n*).
    package init(
        _ norms: [Double], keeping budget: Int, takesWinners: Bool = true,
        using generator: inout some RandomNumberGenerator
    ) {
        precondition(budget >= 1 && budget <= norms.count)
        guard budget < norms.count else {
            (rows, weights) = (Array(norms.indices), norms.map { _ in 1 })
            return
        }
        let total = norms.reduce(0, +)
        // All zeros: any choice is right.
        let p = norms.map { total > 0 ? $0 / total : 1 / Double(norms.count) }
        let order = p.indices.sorted { p[$0] != p[$1] ? p[$0] > p[$1] : $0 < $1 }
        var (winners, rest) = (0, 1.0)
        if takesWinners {
            var (best, left) = (1 / Double(budget), 1.0)
            for taken in 1..<budget {
                left -= p[order[taken - 1]]
                if left / Double(budget - taken) < best {
                    (best, winners, rest) = (left / Double(budget - taken), taken, left)
                }
            }
        }
        var rows = Array(order[..<winners])
        var weights = rows.map { _ in 1.0 }
        // Sums of the probabilities that are left, among which draws fall.
        var sums: [Double] = []
        for i in order[winners...] { sums.append((sums.last ?? 0) + p[i]) }
        rest = sums.last ?? 0
        for _ in winners..<budget {
            let at = Double.random(in: 0..<1, using: &generator) * rest
            var (low, high) = (0, sums.count - 1)
            while low < high {
                let middle = (low + high) / 2
                if sums[middle] <= at { low = middle + 1 } else { high = middle }
            }
            let row = order[winners + low]
            rows.append(row)
            weights.append(p[row] > 0 ? rest / (Double(budget - winners) * p[row]) : 0)
        }
        (self.rows, self.weights) = (rows, weights)
    }
}
