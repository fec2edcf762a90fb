import MnemeCube
import MnemePipeline

/// H-MEM [73]: layers of abstraction; a search goes down from the summaries that match to what they
/// were made of, and compares nothing else.
enum HMem: PublishedRecipe {
    static let card = RecipeCard(
        name: "h-mem",
        paper: "Hierarchical Memory for High-Efficiency Long-Term Reasoning in LLM Agents [73]",
        idea: "search among summaries of conversations, then only in those that match",
        simplified: "two layers instead of four; summaries by rule unless a model is configured, "
            + "made when the job `maintain` runs",
        claim: "beats five baselines on five task settings of LoCoMo; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = LayeredSearch()
        recipe.ranker = RelevanceRanker()
        recipe.maintainer = SessionLayer()
        return recipe
    }

    /// The tag of the upper layer.
    static let tag = "h-mem/session"

    /// Keeps a summary of each conversation.
    struct SessionLayer: MemoryMaintainer {
        let summary = "keep a summary of each conversation"

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws
            -> [MemoryOperation]
        {
            try await Summaries(tag: tag, sentences: 6).operations(on: memories, in: context) {
                $0.scope.session
            }
        }
    }

    /// From the summaries down.
    struct LayeredSearch: RetrievalPlan {
        let roundLimit = 3
        let hitLimit = 300
        /// Conversations that are searched.
        var width = 5

        func first(_ query: RetrievalQuery) -> [Probe] {
            [query.nearest(width, among: ProbeFilter(tag: tag))]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            if query.round == 1 {
                let sessions = Set(hits.compactMap(\.session))
                // Before there are summaries everything is the lower layer.
                let filter = ProbeFilter(
                    sessions: sessions.isEmpty ? nil : sessions, withoutTag: tag)
                return .probe([query.nearest(100, among: filter)])
            }
            return .ranked(hits.filter { !$0.tags.contains(tag) })
        }
    }
}
