/// How a filtered search is carried out: by what it is expected to cost, in vectors compared.
enum FilterPlan: Equatable {
    /// There is no filter.
    case unfiltered
    /// Every vector that passes is compared: exact, and the cheapest for few.
    case scan
    /// The walk compares only what passes, and goes on through what does not.
    case during(effort: Int)
    /// The walk ignores the filter, and looks at enough to find as many that pass.
    case after(effort: Int)

    /// - Parameters:
    ///   - total: vectors of the index.
    ///   - effort: candidates that an unfiltered search keeps.
    init(filter: KeySet?, total: Int, effort: Int) {
        guard let filter else {
            self = .unfiltered
            return
        }
        let share = Double(min(filter.count, total)) / Double(max(1, total))
        // Measured on sentences: a candidate kept costs some twenty vectors compared, and one
        // compared in a walk as much as four in a scan, which knows beforehand what it will read.
        let walk = Double(effort) * 20
        let share1 = max(share, 1e-9)
        let during = walk * (1.5 + 0.3 / share1.squareRoot())
        let after = walk / share1
        let scan = share * Double(total) / 4
        if scan <= min(during, after) || share < 0.005 {
            self = .scan
        } else if after <= during {
            self = .after(effort: Int(Double(effort) / share1))
        } else {
            // The walk among what passes has fewer links to choose from.
            self = .during(effort: Int(Double(effort) * (1 + 0.15 / share1.squareRoot())))
        }
    }
}
