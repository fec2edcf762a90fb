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
            + "linear; two modules have tiers, the search and how much of what it found is handed on",
        claim: "better frontiers of accuracy and cost on LoCoMo, LongMemEval and HotpotQA; no one "
            + "figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = TierRouter(high: standard.retrieval)
        return recipe
    }

    static func recipe(over standard: Recipe, by policy: ManagerPolicy) -> Recipe {
        var recipe = standard
        recipe.retrieval = TrainedBudget(high: TierRouter(high: standard.retrieval), policy: policy)
        return recipe
    }

    /// A budget of search.
    package enum Tier: Int, Sendable, CaseIterable { case low, middle, high }

    /// Routes each question to a tier.
    package struct TierRouter: RetrievalPlan {
        /// The search of the high tier.
        package var high: any RetrievalPlan

        /// A router over that search.
        package init(high: any RetrievalPlan) { self.high = high }

        package var roundLimit: Int { high.roundLimit }
        package var hitLimit: Int { high.hitLimit }

        /// Questions of a few words are simple; times, and many words, make them hard.
        static func tier(of query: RetrievalQuery) -> Tier {
            let effort =
                query.words.count + (query.namesTime ? 2 : 0) + (query.asksWhen ? 1 : 0)
                + (query.speaker == nil ? 2 : 0)
            return effort <= 3 ? .low : effort <= 5 ? .middle : .high
        }

        package func first(_ query: RetrievalQuery) -> [Probe] { first(query, in: Self.tier(of: query)) }

        package func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            Self.tier(of: query) == .high ? high.next(query, after: hits) : .answer
        }

        /// The probes of a tier.
        package func first(_ query: RetrievalQuery, in tier: Tier) -> [Probe] {
            switch tier {
            case .low: [.words(limit: 20)] + (query.hasVector ? [.dense(limit: 5)] : [])
            case .middle: [.words(limit: 50), query.nearest(50, among: nil)]
            case .high: high.first(query)
            }
        }
    }
}
