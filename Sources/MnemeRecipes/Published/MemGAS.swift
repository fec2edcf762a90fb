import Foundation
import MnemeCube
package import MnemePipeline

/// MemGAS [51]: a memory is matched as a message, with its neighbours, and as a conversation; of these count most those
/// whose matches are surest, measured by their entropy. A Gaussian mixture says with which earlier memories a new one is
/// linked.
package enum MemGAS: PublishedRecipe {
    static let card = RecipeCard(
        name: "memgas",
        paper: "Towards Multi-Granularity Memory Association and Selection for Long-Term "
            + "Conversational Agents [51]",
        idea: "message, window and conversation, weighed by the entropy of their matches; links by a Gaussian mixture",
        simplified: "no summaries or filtering by a model: granularities are the means of neighbours' vectors; "
            + "mixtures are of one number each, the similarity",
        claim: "better than the best single granularity on four benchmarks; no one figure")

    static func recipe(over standard: Recipe) -> Recipe {
        var recipe = standard
        recipe.retrieval = EntropyRouter()
        recipe.maintainer = Association()
        return recipe
    }

    /// Links each new memory with the earlier ones of the mixture's nearer component.
    struct Association: MemoryMaintainer {
        let summary = "link memories with earlier ones that a Gaussian mixture counts as near"
        /// Earlier memories that the mixture is fitted to, the least of them, and links of a memory at most.
        var among = 200, least = 12, links = 3
        static let mark = "memgas/linked"

        func operations(on memories: [MemCube], in context: MaintenanceContext) async throws -> [MemoryOperation] {
            var operations: [MemoryOperation] = []
            // Without a mark each run would link a memory again.
            for var cube in memories where !cube.tags.contains(Self.mark) {
                let near = try await context.neighbours(of: cube.id, limit: among).filter { $0.id < cube.id }
                guard near.count >= least, let pair = GaussianPair(fitting: near.map(\.similarity)), pair.standsOut
                else { continue }
                // Far to the other side of both means a wide component may hold the larger share.
                let kept = near.filter { $0.similarity > pair.low.mean && pair.membership($0.similarity) > 0.5 }
                guard !kept.isEmpty else { continue }
                operations += kept.prefix(links).map {
                    .link(CubeLink(source: cube.id, target: $0.id, kind: "related", time: context.now))
                }
                cube.tags.append(Self.mark)
                operations.append(.update(cube))
            }
            return operations
        }
    }

    /// Weighs granularities for each question. None is left out: a mixture that passed over those in which nothing stands
    /// apart lost much, as the few that answer a question are no bell of their own.
    package struct EntropyRouter: RetrievalPlan {
        package let roundLimit = 3
        package let hitLimit = 3_000
        /// Sharpness of the distributions that entropies are taken of.
        var temperature: Float = 0.1
        /// What a link from the best memories adds to the logarithm of a share.
        var linkWeight: Float = 0.05
        /// The features of each granularity, finest first.
        package var granularities = Self.all

        /// Message, window, conversation.
        package static let all: [[RecallFeature]] = [
            [.meaning, .words], [.meaningNearby, .wordsNearby], [.meaningAround, .wordsInSession],
        ]

        package func first(_ query: RetrievalQuery) -> [Probe] {
            query.memories <= 3_000
                ? [.everything]
                : [.words(limit: 150), .wordsNearby(limit: 150), query.nearest(150, among: nil)]
        }

        package func next(_ query: RetrievalQuery, after hits: [RetrievalHit]) -> RetrievalStep {
            guard hits.count > 1 else { return .answer }
            guard query.round > 1 else {
                return .probe([.linked(with: hits.prefix(query.request.limit).map(\.number), limit: 50)])
            }
            return .ranked(weighed(hits))
        }

        /// The hits by all granularities' shares, and links.
        func weighed(_ hits: [RetrievalHit]) -> [RetrievalHit] {
            let values = granularities.map { features in
                hits.map { hit in features.reduce(0) { $0 + hit.features[$1] } }
            }
            let shares = values.map(distribution)
            let weights = shares.map(Self.certainty)
            let total = max(weights.reduce(0, +), .leastNormalMagnitude)
            return hits.enumerated().map { place, hit in
                var score = linkWeight * hit.probed
                for (weight, share) in zip(weights, shares) where weight > 0 {
                    score += weight / total * log(share[place] + 1e-12)
                }
                return hit.scored(score)
            }
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
