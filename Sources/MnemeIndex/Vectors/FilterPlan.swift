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
        // A candidate kept costs some twenty vectors compared; what passes is read from all over memory, as in a walk.
        let walk = Double(effort) * 20
        // Among those that pass, fewer links are left, and more are looked through to find them.
        let during = walk * (1 + 0.5 / max(share, 1e-9).squareRoot()), after = walk / max(share, 1e-9)
        let scan = share * Double(total)
        if scan <= min(during, after) || share < 0.01 && scan < 500_000 {
            self = .scan
        } else if after <= during {
            self = .after(effort: Int(Double(effort) / share))
        } else {
            self = .during(effort: effort)
        }
    }
}
