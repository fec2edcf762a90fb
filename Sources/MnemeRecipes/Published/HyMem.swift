import MnemePipeline

/// HyMem [17]: a light search answers simple questions; the deep one wakes only where the light one
/// leaves much of the question open.
enum HyMem: PublishedRecipe {
    static let card = RecipeCard(
        name: "hymem",
        paper: "HyMem: Hybrid Memory Architecture with Dynamic Retrieval Scheduling [17]",
        idea: "a light search first; the deep one only if words of the question stay open",
        simplified: "the light tier is a short search instead of summaries; the judge counts words "
            + "that are covered instead of asking a model",
        claim: "92.6 % less computation than full context on LoCoMo and LongMemEval")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = TwoTiers(deep: standard.retrieval)
        return recipe
    }

    /// Light first, deep on need.
    struct TwoTiers: RetrievalPlan {
        /// The deep tier.
        var deep: any RetrievalPlan
        /// Memories that each light search takes.
        var light = 15
        /// The share of the question that light hits have to cover.
        var enough: Float = 0.75

        var roundLimit: Int { deep.roundLimit + 1 }
        var hitLimit: Int { deep.hitLimit }

        func first(_ query: RetrievalQuery) -> [Probe] {
            [.words(limit: light), query.nearest(light, among: nil)]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            var inner = query
            inner.round -= 1
            if query.round > 1 { return deep.next(inner, after: hits) }
            return query.coverage(of: hits.prefix(5)) >= enough
                ? .answer : .probe(deep.first(inner))
        }
    }
}
