import MnemeCube
import MnemePipeline

/// ENGRAM [53]: memories are episodic, semantic or procedural, and each type answers with its own
/// nearest, so that a frequent type does not crowd a rare one out.
enum Engram: PublishedRecipe {
    static let card = RecipeCard(
        name: "engram",
        paper: "ENGRAM: Effective, Lightweight Memory Orchestration for Conversational Agents [53]",
        idea: "the nearest of each type (episodic, semantic, procedural), merged",
        simplified: "types are found by rule; a third of the places is kept for each type",
        claim: "15 points over full context on LongMemEval with 1 % of the tokens")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = TypedRetrieval()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// Dense search by type; each type's best come first.
    struct TypedRetrieval: RetrievalPlan {
        let roundLimit = 2
        let hitLimit = 3_000

        static let types: [Set<MemoryType>] = [
            [.episodic], [.semantic, .preference, .core], [.procedural],
        ]

        func first(_ query: RetrievalQuery) -> [Probe] {
            Self.types.map {
                query.nearest(query.request.limit * 3, among: ProbeFilter(types: $0))
            }
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let each = (query.request.limit + Self.types.count - 1) / Self.types.count
            var places = [Int](repeating: each, count: Self.types.count)
            return .ranked(
                hits.map { hit in
                    guard let type = Self.types.firstIndex(where: { $0.contains(hit.type) }),
                        places[type] > 0
                    else { return hit }
                    places[type] -= 1
                    // Above every cosine.
                    return hit.scored(hit.score + 2)
                })
        }
    }
}
