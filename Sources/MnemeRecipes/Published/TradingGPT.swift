import Foundation
import MnemeCube
import MnemePipeline

/// TradingGPT [225]: memory has layers, each of which forgets at its own pace; recency, relevance
/// and importance count alike.
enum TradingGPT: PublishedRecipe {
    static let card = RecipeCard(
        name: "tradinggpt",
        paper: "TradingGPT: Multi-Agent System with Layered Memory and Distinct Characters for "
            + "Enhanced Financial Trading Performance [225]",
        idea: "layers that fade at their own pace; recency, relevance and importance summed",
        simplified: "layers are types of memories; importance is the amount of detail; no agents' "
            + "debate",
        claim: "a design; no figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = LayeredRetrieval()
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// Three layers, and the sum of three scores.
    struct LayeredRetrieval: RetrievalPlan {
        let roundLimit = 2
        let hitLimit = 3_000

        /// Types of a layer, and days after which a memory of it has faded to 1/e.
        static let layers: [(types: Set<MemoryType>, days: Double)] = [
            ([.episodic], 14), ([.semantic, .procedural], 90), ([.preference, .core], 365),
        ]

        func first(_ query: RetrievalQuery) -> [Probe] {
            Self.layers.map { query.nearest(50, among: ProbeFilter(types: $0.types)) }
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            .ranked(
                hits.map { hit in
                    let recency = Self.recency(of: hit, now: query.request.now)
                    return hit.scored(hit.score + recency + hit.features[.detail])
                })
        }

        /// exp(−age / the layer's days), from 0 to 1.
        static func recency(of hit: RetrievalHit, now: Date) -> Float {
            let days = layers.first { $0.types.contains(hit.type) }?.days ?? 14
            let age = max(0, now.timeIntervalSince(hit.eventTime)) / 86_400
            return Float(exp(-age / days))
        }
    }
}
