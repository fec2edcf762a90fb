import MnemeCube
import MnemePipeline

/// O-Mem [151]: three ways to an answer at once: what is known of the person, what the rarest word
/// of the question leads to, and what is near in meaning.
enum OMem: PublishedRecipe {
    static let card = RecipeCard(
        name: "o-mem",
        paper: "O-Mem: Omni Memory System for Personalized, Long Horizon, Self-Evolving Agents [151]",
        idea: "persona, the question's rarest word and meaning, side by side",
        simplified: "persona attributes are what somebody says of themselves in the present tense, found by rule "
            + "instead of a model, and kept as sentences that have places of their own; topics are words",
        claim: "51.67 % on LoCoMo (answers), 3 % over the best before it; 62.99 % on PERSONAMEM")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.extractor = PersonaExtractor(base: standard.extractor)
        recipe.retrieval = ThreeWays()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// The tag of what says something lasting of the one who says it.
    static let persona = "o-mem/persona"

    /// Tags what says something lasting of the one who says it.
    struct PersonaExtractor: MemoryExtractor {
        /// Finds what a text holds.
        var base: any MemoryExtractor

        func drafts(of input: MemoryInput, in context: ExtractionContext) -> [Draft] {
            base.drafts(of: input, in: context).map { draft in
                var draft = draft
                if SelfStatement.isLasting(draft.cube.text) { draft.cube.tags.append(persona) }
                return draft
            }
        }

        func enrich(_ cube: inout MemCube, words: [String]) { base.enrich(&cube, words: words) }
    }

    /// Persona, clue and meaning.
    struct ThreeWays: RetrievalPlan {
        let roundLimit = 2
        let hitLimit = 3_000
        /// The weights of the clue and the right person beside the cosine.
        var clueWeight: Float = 0.2, speakerWeight: Float = 0.1
        /// One place of so many is an attribute's.
        var share = 3

        func first(_ query: RetrievalQuery) -> [Probe] {
            let places = max(1, query.request.limit / share)
            var probes = [query.nearest(100, among: nil), query.nearest(places, among: ProbeFilter(tag: OMem.persona))]
            if let clue = Self.clue(of: query) { probes.append(.text(clue, limit: 50)) }
            return probes
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let scored = hits.map { hit in
                let said = query.speaker != nil && hit.speaker?.lowercased() == query.speaker
                return hit.scored(hit.score + clueWeight * hit.probed + (said ? speakerWeight : 0))
            }
            let ordered = scored.sorted { ($1.score, $1.number) < ($0.score, $0.number) }
            return .ranked(
                ReservedPlaces(every: share).filled(ordered, query.request.limit) { $0.tags.contains(OMem.persona) })
        }

        /// The question's rarest word.
        static func clue(of query: RetrievalQuery) -> String? {
            zip(query.words, query.weights).max { $0.1 < $1.1 }?.0
        }
    }
}
