import MnemePipeline

/// LiCoMemory [149]: conversations are found first, and weigh with time in the order of what was
/// said in them.
enum LiCoMemory: PublishedRecipe {
    static let card = RecipeCard(
        name: "licomemory",
        paper: "LiCoMemory: Lightweight and Cognitive Agentic Memory for Efficient Long-Term "
            + "Reasoning [149]",
        idea: "names lead to conversations; conversation, message and time are multiplied",
        simplified: "names and words index conversations instead of a graph that a model extracts",
        claim: "better than its baselines on LoCoMo and LongMemEval; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = HierarchyRetrieval()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// Reranks by conversation, message and time.
    struct HierarchyRetrieval: RetrievalPlan {
        let roundLimit = 2
        let hitLimit = 3_000
        /// Messages of a conversation that make its score.
        var best = 3

        func first(_ query: RetrievalQuery) -> [Probe] {
            [
                .words(limit: 100), query.nearest(100, among: nil), .dates(limit: 50),
                .text(query.words.joined(separator: " "), limit: 100),
            ]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            var sessions: [String: [Float]] = [:]
            for hit in hits { sessions[hit.session ?? "", default: []].append(Self.own(hit)) }
            let scores = sessions.mapValues { values in
                values.sorted(by: >).prefix(best).reduce(0, +) / Float(best)
            }
            let most = max(scores.values.max() ?? 0, .leastNormalMagnitude)
            return .ranked(
                hits.map { hit in
                    let session = (scores[hit.session ?? ""] ?? 0) / most
                    let time = query.namesTime ? 0.5 + 0.5 * hit.features[.date] : 1
                    return hit.scored(Self.own(hit) * (0.5 + 0.5 * session) * time)
                })
        }

        /// The relevance of a message by itself: meaning and words, never negative.
        static func own(_ hit: RetrievalHit) -> Float {
            max(0, hit.features[.meaning]) + hit.features[.words]
        }
    }
}
