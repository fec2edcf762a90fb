import MnemePipeline

/// General Agentic Memory [94]: everything is kept as it is, and a researcher plans, searches and
/// integrates when a question comes, until it is covered.
enum GAM: PublishedRecipe {
    static let card = RecipeCard(
        name: "gam", paper: "General Agentic Memory Via Deep Research [94]",
        idea: "search, look at what is still open, and search for that, until all is covered",
        simplified: "the researcher goes by the question's words instead of a model's plan; no memo "
            + "is written",
        claim: "better than its baselines on memory-grounded tasks; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = Researcher()
        return recipe
    }

    /// Plans, searches and reflects.
    struct Researcher: RetrievalPlan {
        let roundLimit = 5
        let hitLimit = 400
        /// Hits that are looked at for what is still open.
        var width = 5
        /// The weight of being found by a later search.
        var weight: Float = 0.5

        func first(_ query: RetrievalQuery) -> [Probe] {
            [.words(limit: 50), .wordsNearby(limit: 50), query.nearest(50, among: nil)]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let missing = query.missing(from: hits.prefix(width))
            // Each round looks for one word fewer; what no memory holds is given up.
            let wanted = missing.dropFirst(query.round - 1)
            guard query.round < roundLimit - 1, !wanted.isEmpty, !hits.isEmpty else {
                return .ranked(hits.map { $0.scored($0.score + weight * $0.probed) })
            }
            return .probe([
                .text(wanted.joined(separator: " "), limit: 30),
                .like(hits.prefix(2).map(\.number), limit: 30),
            ])
        }
    }
}
