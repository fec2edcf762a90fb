import Foundation
package import MnemePipeline

/// BudgetMem [8]: each question gets a budget tier: cheap searches for simple questions, everything
/// for hard ones.
package enum BudgetMem: ManagedRecipe {
    static let card = RecipeCard(
        name: "budgetmem",
        paper: "Learning Query-Aware Budget-Tier Routing for Runtime Agent Memory [8]",
        idea: "a router gives each question a low, middle or high budget of search",
        simplified: "the router is a rule on the question until one is trained (`mneme recipes train`), and that is "
            + "linear; tiers are of search alone",
        claim: "better frontiers of accuracy and cost on LoCoMo, LongMemEval and HotpotQA; no one "
            + "figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = TierRouter(high: standard.retrieval)
        return recipe
    }

    static func recipe(over standard: Recipe, by policy: ManagerPolicy) -> Recipe {
        var recipe = standard
        recipe.retrieval = TierRouter(high: standard.retrieval, policy: policy)
        return recipe
    }

    /// A budget of search.
    package enum Tier: Int, Sendable, CaseIterable { case low, middle, high }

    /// What is known of a question, for the low tier and for the high one; the middle one is what they are weighed against.
    static let features = ["low", "high"].flatMap { tier in
        [tier] + ["words", "time", "when", "speaker", "rarest"].map { "\(tier).\($0)" }
    }

    /// A row for each tier.
    package static func options(for query: RetrievalQuery) -> [[Double]] {
        let known: [Double] = [
            1, Double(query.words.count) / 5, query.namesTime ? 1 : 0, query.asksWhen ? 1 : 0,
            query.speaker == nil ? 0 : 1, Double(query.weights.max() ?? 0),
        ]
        let none = known.map { _ in 0.0 }
        return [known + none, none + none, none + known]
    }

    /// Routes each question to a tier.
    struct TierRouter: RetrievalPlan {
        /// The search of the high tier.
        var high: any RetrievalPlan
        /// Chooses tiers; nil has the rule choose.
        var policy: ManagerPolicy?

        var roundLimit: Int { high.roundLimit }
        var hitLimit: Int { high.hitLimit }

        /// Questions of a few words are simple; times, and many words, make them hard.
        func tier(of query: RetrievalQuery) -> Tier {
            if let policy { return Tier(rawValue: policy.best(of: BudgetMem.options(for: query))) ?? .high }
            let effort =
                query.words.count + (query.namesTime ? 2 : 0) + (query.asksWhen ? 1 : 0)
                + (query.speaker == nil ? 2 : 0)
            return effort <= 3 ? .low : effort <= 5 ? .middle : .high
        }

        func first(_ query: RetrievalQuery) -> [Probe] {
            switch tier(of: query) {
            case .low: [.words(limit: 20)] + (query.hasVector ? [.dense(limit: 5)] : [])
            case .middle: [.words(limit: 50), query.nearest(50, among: nil)]
            case .high: high.first(query)
            }
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            tier(of: query) == .high ? high.next(query, after: hits) : .answer
        }
    }
}
