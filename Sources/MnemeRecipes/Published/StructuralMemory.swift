import MnemePipeline

/// On the Structural Memory of LLM Agents [155]: mixed structures (texts and triplets), searched
/// again with what the first search found.
enum StructuralMemory: PublishedRecipe {
    static let card = RecipeCard(
        name: "structural-memory", paper: "On the Structural Memory of LLM Agents [155]",
        idea: "texts and triplets together, searched again with what was found",
        simplified: "the refined question is the mean of its vector and those found, instead of a "
            + "model's words; no summaries",
        claim: "mixed memory is the most robust, iterative retrieval the best of three; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.extractor = TripletExtractor(base: standard.extractor)
        recipe.retrieval = IterativeRetrieval()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// Searches three times, each time from what was found.
    struct IterativeRetrieval: RetrievalPlan {
        let roundLimit = 4
        let hitLimit = 300
        /// Memories that a question is refined with.
        var width = 2
        /// The weight of being found again beside the cosine.
        var weight: Float = 0.2

        func first(_ query: RetrievalQuery) -> [Probe] { [query.nearest(50, among: nil)] }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            guard query.round < roundLimit - 1, query.hasVector, !hits.isEmpty else {
                return .ranked(hits.map { $0.scored($0.score + weight * $0.probed) })
            }
            return .probe([.like(hits.prefix(width).map(\.number), limit: 30)])
        }
    }
}
