import MnemePipeline

/// ComoRAG [212]: at an impasse probing questions are made of what was found, and new evidence joins
/// a global pool, cycle by cycle.
enum ComoRAG: PublishedRecipe {
    static let card = RecipeCard(
        name: "comorag",
        paper: "ComoRAG: A Cognitive-Inspired Memory-Organized RAG for Stateful Long Narrative "
            + "Reasoning [212]",
        idea: "at an impasse probe from what was found; all evidence joins one pool",
        simplified: "an impasse is a question whose words are not covered by the best that was found; probes are first "
            + "the words that are missing there, then all of them, instead of a model's questions",
        claim: "up to 11 % over the strongest baseline on four long-narrative benchmarks")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = Workspace()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// Cycles of probing around a pool: each ends where the best of the pool cover the question.
    struct Workspace: RetrievalPlan {
        let roundLimit = 4
        let hitLimit = 400
        /// Coverage of the question below which there is an impasse, and the best of the pool that have to cover it.
        var enough: Float = 0.6, width = 3
        /// Memories that a probe brings, and the weight of being found by one beside the cosine.
        var reach = 20
        var weight: Float = 0.3

        func first(_ query: RetrievalQuery) -> [Probe] { [query.nearest(40, among: nil)] }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let pool = hits.map { $0.scored($0.score + weight * $0.probed) }
            let best = pool.sorted { ($1.score, $1.number) < ($0.score, $0.number) }.prefix(width)
            guard query.round < roundLimit - 1, !hits.isEmpty, query.coverage(of: best) < enough else {
                return .ranked(pool)
            }
            // First what is open, then the whole question in its words.
            let words = query.round == 1 ? query.missing(from: best) : query.words
            return .probe([.text(words.joined(separator: " "), limit: reach)])
        }
    }
}
