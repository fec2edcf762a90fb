import Foundation
import MnemeCube
import MnemePipeline

/// TradingGPT [225]: memory has layers, each of which forgets at its own pace; characters weigh the layers each in their
/// own way, and debate what to go by.
///
/// The recipe `tradinggpt` is the debate of all; `tradinggpt:swift` and so on recall as one character alone.
enum TradingGPT: PublishedRecipe {
    static let card = RecipeCard(
        name: "tradinggpt",
        paper: "TradingGPT: Multi-Agent System with Layered Memory and Distinct Characters for "
            + "Enhanced Financial Trading Performance [225]",
        idea: "layers that fade at their own pace, weighed by three characters who debate what comes first",
        simplified:
            "layers are types of memories; importance is the amount of detail; characters are weights, and their "
            + "debate a rule: each proposes, all judge, until nobody changes a proposal",
        claim: "a design; no figure")

    static func recipe(over standard: Recipe) -> Recipe { recipe(over: standard, of: characters) }

    static let variants = characters.map(\.name)

    static func recipe(over standard: Recipe, variant: String) -> Recipe? {
        characters.first { $0.name == variant }.map { recipe(over: standard, of: [$0]) }
    }

    private static func recipe(over standard: Recipe, of characters: [Trader]) -> Recipe {
        var recipe = standard
        recipe.retrieval = LayeredRetrieval(characters: characters)
        recipe.ranker = RelevanceRanker()
        return recipe
    }

    /// A layer of memory: the types of memories that lie in it, and days after which one has faded to 1/e.
    struct Layer: Sendable {
        /// Types of memories.
        var types: Set<MemoryType>, days: Double
    }

    /// Short, middle and long.
    static let layers = [
        Layer(types: [.episodic], days: 14), Layer(types: [.semantic, .procedural], days: 90),
        Layer(types: [.preference, .core], days: 365),
    ]

    /// How a character goes by memory: what freshness counts in each layer.
    struct Trader: Sendable {
        /// Its name, as a variant of the recipe.
        var name: String
        /// Weights of the layers' freshness, short to long.
        var weights: [Float]

        /// Relevance, freshness as the character weighs it, and importance, summed.
        func score(_ hit: RetrievalHit, now: Date) -> Float {
            let layer = TradingGPT.layers.firstIndex { $0.types.contains(hit.type) } ?? 0
            return hit.score + weights[layer] * TradingGPT.recency(of: hit, now: now) + hit.features[.detail]
        }
    }

    /// Who goes by what is new, by all alike, and by what lasts.
    static let characters = [
        Trader(name: "swift", weights: [1.5, 1, 0.5]), Trader(name: "steady", weights: [1, 1, 1]),
        Trader(name: "patient", weights: [0.5, 1, 1.5]),
    ]

    /// exp(−age / the layer's days), from 0 to 1.
    static func recency(of hit: RetrievalHit, now: Date) -> Float {
        let days = layers.first { $0.types.contains(hit.type) }?.days ?? layers[0].days
        let age = max(0, now.timeIntervalSince(hit.eventTime)) / 86_400
        return Float(exp(-age / days))
    }

    /// Three layers, searched each, and what the characters make of it.
    struct LayeredRetrieval: RetrievalPlan {
        /// Who debates; one alone decides.
        var characters: [Trader]
        let roundLimit = 2
        let hitLimit = 3_000

        func first(_ query: RetrievalQuery) -> [Probe] {
            TradingGPT.layers.map { query.nearest(50, among: ProbeFilter(types: $0.types)) }
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            let now = query.request.now
            let views = characters.map { character in hits.map { character.score($0, now: now) } }
            let scores = views.count == 1 ? views[0] : Debate(places: query.request.limit).outcome(views)
            return .ranked(zip(hits, scores).map { $0.scored($1) })
        }
    }
}
