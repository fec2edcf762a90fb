import Foundation
import MnemePipeline

/// MemGAS [51]: a memory is matched as a message, with its neighbours, and as a conversation; of
/// these granularities those count most whose matches stand out, measured by their entropy.
enum MemGAS: PublishedRecipe {
    static let card = RecipeCard(
        name: "memgas",
        paper: "Towards Multi-Granularity Memory Association and Selection for Long-Term "
            + "Conversational Agents [51]",
        idea: "message, window and conversation, weighed by the entropy of their matches",
        simplified: "no Gaussian mixtures, summaries or filtering by a model: granularities are "
            + "the means of neighbours' vectors",
        claim: "better than the best single granularity on four benchmarks; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = EntropyRouter()
        return recipe
    }

    /// Weighs granularities for each question.
    struct EntropyRouter: RetrievalPlan {
        let roundLimit = 2
        let hitLimit = 3_000
        /// Sharpness of the distributions that entropies are taken of.
        var temperature: Float = 0.1

        /// The features of each granularity, finest first.
        static let granularities: [[RecallFeature]] = [
            [.meaning, .words], [.meaningNearby, .wordsNearby], [.meaningAround, .wordsInSession],
        ]

        func first(_ query: RetrievalQuery) -> [Probe] {
            query.memories <= 3_000
                ? [.everything]
                : [.words(limit: 150), .wordsNearby(limit: 150), query.nearest(150, among: nil)]
        }

        func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            guard hits.count > 1 else { return .answer }
            let shares = Self.granularities.map { features in
                distribution(hits.map { hit in features.reduce(0) { $0 + hit.features[$1] } })
            }
            let weights = shares.map(Self.certainty)
            let total = max(weights.reduce(0, +), .leastNormalMagnitude)
            return .ranked(
                hits.enumerated().map { place, hit in
                    var score: Float = 0
                    for (weight, share) in zip(weights, shares) {
                        score += weight / total * log(share[place] + 1e-12)
                    }
                    return hit.scored(score)
                })
        }

        /// Similarities as probabilities.
        func distribution(_ values: [Float]) -> [Float] {
            let most = values.max() ?? 0
            let raised = values.map { exp(($0 - most) / temperature) }
            let sum = raised.reduce(0, +)
            return raised.map { $0 / sum }
        }

        /// 1 − entropy as a share of the most that there can be: 0 where all match alike.
        static func certainty(_ share: [Float]) -> Float {
            let entropy = share.reduce(Float(0)) { $0 - ($1 > 0 ? $1 * log($1) : 0) }
            return max(1e-3, 1 - entropy / log(Float(max(2, share.count))))
        }
    }
}
