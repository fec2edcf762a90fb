import MnemeCube
import MnemePipeline

/// O-Mem [151]: three ways to an answer at once: what is known of the person, what the rarest word
/// of the question leads to, and what is near in meaning.
enum OMem: PublishedRecipe {
    static let card = RecipeCard(
        name: "o-mem",
        paper: "O-Mem: Omni Memory System for Personalized, Long Horizon, Self-Evolving Agents [151]",
        idea: "persona, the question's rarest word and meaning, side by side",
        simplified: "persona attributes are memories of type core and preference, found by rule; "
            + "topics are words",
        claim: "51.67 % on LoCoMo (answers), 3 % over the best before it; 62.99 % on PERSONAMEM")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = ThreeWays()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// Persona, clue and meaning.
    struct ThreeWays: RetrievalPlan {
        let roundLimit = 2
        let hitLimit = 3_000
        /// The weights of the clue and the right person beside the cosine.
        var clueWeight: Float = 0.2, speakerWeight: Float = 0.1

        static let persona = ProbeFilter(types: [.core, .preference])

        func first(_ query: RetrievalQuery) -> [Probe] {
            [query.nearest(100, among: nil), query.nearest(20, among: Self.persona)]
                + (Self.clue(of: query).map { [.text($0, limit: 50)] } ?? [])
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            .ranked(
                hits.map { hit in
                    let said = query.speaker != nil && hit.speaker?.lowercased() == query.speaker
                    return hit.scored(
                        hit.score + clueWeight * hit.probed + (said ? speakerWeight : 0))
                })
        }

        /// The question's rarest word.
        static func clue(of query: RetrievalQuery) -> String? {
            zip(query.words, query.weights).max { $0.1 < $1.1 }?.0
        }
    }
}
