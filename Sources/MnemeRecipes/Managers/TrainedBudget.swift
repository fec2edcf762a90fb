import Foundation
package import MnemePipeline

/// BudgetMem [8] with a trained router: a tier for the search, chosen by the question, and one for how many memories are
/// handed on, chosen by what was found.
struct TrainedBudget: RetrievalPlan {
    /// The searches of the tiers.
    var high: BudgetMem.TierRouter
    /// Chooses.
    var policy: ManagerPolicy

    var roundLimit: Int { high.roundLimit + 1 }
    var hitLimit: Int { max(1_000, high.hitLimit) }

    private func tier(of query: RetrievalQuery) -> BudgetMem.Tier {
        BudgetMem.Tier(rawValue: policy.best(of: BudgetMem.options(for: query))) ?? .high
    }

    func first(_ query: RetrievalQuery) -> [Probe] { high.first(query, in: tier(of: query)) }

    func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
        if tier(of: query) == .high, query.round < high.roundLimit {
            let step = high.high.next(query, after: Array(hits.prefix(high.hitLimit)))
            if case .probe = step { return step }
        }
        let size = policy.best(of: BudgetMem.options(for: query, after: hits))
        return .ranked(Array(hits.prefix(BudgetMem.size(size, of: query.request.limit))))
    }
}

extension BudgetMem {
    /// What is known of a question, for the low tier of search and for the high one, and of what was found, for a small
    /// answer and for a large one; the middle ones are what they are weighed against.
    static let features: [String] = {
        var names: [String] = []
        for tier in ["low", "high"] {
            names.append(tier)
            for known in ["words", "time", "when", "speaker", "rarest"] { names.append("\(tier).\(known)") }
        }
        for size in ["small", "large"] {
            names.append(size)
            for known in ["words", "when", "speaker", "lead", "fall", "covered"] { names.append("\(size).\(known)") }
        }
        return names
    }()

    /// A row for each tier of search.
    package static func options(for query: RetrievalQuery) -> [[Double]] {
        let known: [Double] = [
            1, Double(query.words.count) / 5, query.namesTime ? 1 : 0, query.asksWhen ? 1 : 0,
            query.speaker == nil ? 0 : 1, Double(query.weights.max() ?? 0),
        ]
        return rows(known, at: 0)
    }

    /// A row for each size of an answer: the lead of the best over the third, and its fall to the tenth.
    ///
    /// - Parameter hits: best first.
    package static func options(for query: RetrievalQuery, after hits: [RetrievalHit]) -> [[Double]] {
        func score(_ place: Int) -> Double { hits.isEmpty ? 0 : Double(hits[min(place, hits.count - 1)].score) }
        let known: [Double] = [
            1, Double(query.words.count) / 5, query.asksWhen ? 1 : 0, query.speaker == nil ? 0 : 1,
            score(0) - score(2), score(2) - score(9), Double(query.coverage(of: hits.prefix(3))),
        ]
        return rows(known, at: 12)
    }

    /// What is known at its place for the first option, nothing for the second, and behind it for the third.
    private static func rows(_ known: [Double], at start: Int) -> [[Double]] {
        [start, nil, start + known.count].map { place in
            var row = [Double](repeating: 0, count: features.count)
            if let place { row.replaceSubrange(place..<(place + known.count), with: known) }
            return row
        }
    }

    /// Memories of an answer: three tenths, six tenths, or all that are asked for.
    package static func size(_ choice: Int, of limit: Int) -> Int { max(1, limit * [3, 6, 10][choice] / 10) }
}
