import MnemePipeline

/// MemSifter [37]: a small proxy sifts whole conversations before anything of them is handed on.
enum MemSifter: PublishedRecipe {
    static let card = RecipeCard(
        name: "memsifter",
        paper: "MemSifter: Offloading LLM Memory Retrieval via Outcome-Driven Proxy Reasoning [37]",
        idea: "a proxy picks the few conversations that matter; only these are searched",
        simplified: "the proxy is a rule on the best messages of a conversation instead of a trained "
            + "small model",
        claim: "level with or above the best on eight benchmarks; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = Sieve()
        return recipe
    }

    /// Keeps the best conversations alone.
    struct Sieve: RetrievalPlan {
        let roundLimit = 2
        let hitLimit = 3_000
        /// Conversations that are kept.
        var width = 4
        /// Messages that speak for a conversation.
        var best = 3

        func first(_ query: RetrievalQuery) -> [Probe] {
            query.memories <= 3_000
                ? [.everything] : [.words(limit: 150), query.nearest(150, among: nil)]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let groups = Dictionary(grouping: hits) { $0.session ?? "" }
            let scores = groups.mapValues { group in
                group.prefix(best).reduce(Float(0)) { $0 + $1.score } / Float(best)
            }
            let kept = Set(
                scores.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(width).map(\.key))
            return .ranked(hits.filter { kept.contains($0.session ?? "") })
        }
    }
}
