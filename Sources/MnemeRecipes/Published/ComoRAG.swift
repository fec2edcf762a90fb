import MnemePipeline

/// ComoRAG [212]: at an impasse probing questions are made of what was found, and new evidence joins
/// a global pool, cycle by cycle.
enum ComoRAG: PublishedRecipe {
    static let card = RecipeCard(
        name: "comorag",
        paper: "ComoRAG: A Cognitive-Inspired Memory-Organized RAG for Stateful Long Narrative "
            + "Reasoning [212]",
        idea: "at an impasse probe from what was found; all evidence joins one pool",
        simplified: "an impasse is a question whose words are not covered; probes are the memories "
            + "found, instead of a model's questions",
        claim: "up to 11 % over the strongest baseline on four long-narrative benchmarks")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = Workspace()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// Cycles of probing around a pool.
    struct Workspace: RetrievalPlan {
        let roundLimit = 4
        let hitLimit = 400
        /// Coverage of the question below which there is an impasse.
        var enough: Float = 0.6
        /// Memories that are probed from in a cycle.
        var width = 3
        /// The cost of a cycle later.
        var lateness: Float = 0.05
        /// The weight of being found by a probe beside the cosine.
        var weight: Float = 0.25

        func first(_ query: RetrievalQuery) -> [Probe] { [query.nearest(40, among: nil)] }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let isImpasse = query.coverage(of: hits.prefix(width)) < enough
            guard query.round < roundLimit - 1, isImpasse, !hits.isEmpty else {
                return .ranked(
                    hits.map {
                        $0.scored($0.score + weight * $0.probed - lateness * Float($0.round))
                    })
            }
            // Each cycle begins where the last one ended.
            let seeds = hits.dropFirst((query.round - 1) * width).prefix(width).map(\.number)
            return .probe(
                seeds.map { .like([$0], limit: 15) }
                    + [.text(query.missing(from: hits.prefix(width)).joined(separator: " "), limit: 20)]
            )
        }
    }
}
